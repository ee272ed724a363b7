// Twelve questions to end with. Choices and score stay in this browser.

import { all, h, put } from "../../base/dom.js";
import { text } from "../../base/texts.js";
import { remember, remembered } from "./memory.js";

const RIGHT = [1, 2, 2, 2, 1, 2, 2, 1, 1, 3, 2, 1]; // the choice that is true, question by question
const CHOICES = [1, 2, 3];

/** The questions with what has been chosen, and a button that tells how many are right. */
export function makeQuiz() {
  const chosen = { ...remembered().quiz };
  const score = h("p", { class: "verdict", role: "status" });
  const questions = RIGHT.map((_, index) => makeQuestion(index + 1, chosen));
  const check = h("button", { type: "button", onclick: tell }, text("quiz_check"));
  const clear = h("button", { type: "button", class: "again", onclick: forget }, text("quiz_clear"));

  function tell() {
    let right = 0;
    questions.forEach((question, index) => {
      const hit = chosen[index + 1] === RIGHT[index];
      right += Number(hit);
      put(question.verdict, text(hit ? "verdict_right" : chosen[index + 1] ? "quiz_wrong" : "quiz_open"));
      question.node.dataset.verdict = hit ? "right" : "wrong";
    });
    put(score, text("quiz_score", { right, all: RIGHT.length }));
  }
  function forget() {
    remember("quiz", undefined);
    for (const number of Object.keys(chosen)) delete chosen[number];
    for (const question of questions) {
      put(question.verdict, "");
      delete question.node.dataset.verdict;
      for (const field of all("input", question.node)) field.checked = false;
    }
    put(score, "");
  }
  return h(
    "section",
    { class: "part", id: "learn-quiz", "aria-labelledby": "learn-quiz-title", tabindex: -1 },
    h("h2", { id: "learn-quiz-title" }, text("ask_quiz_title")),
    h("p", { class: "lead" }, text("quiz_text")),
    h(
      "div",
      { class: "questions" },
      questions.map(({ node }) => node),
    ),
    h("div", { class: "controls" }, check, clear),
    score,
  );
}

function makeQuestion(number, chosen) {
  const verdict = h("p", { class: "verdict" });
  const choices = CHOICES.map((choice) => {
    const choose = () => {
      chosen[number] = choice;
      remember("quiz", { ...chosen });
    };
    const field = {
      type: "radio",
      name: `quiz-${number}`,
      value: choice,
      checked: chosen[number] === choice,
      onchange: choose,
    };
    return h("label", {}, h("input", field), h("span", {}, text(`quiz_${number}_choice_${choice}`)));
  });
  return {
    verdict,
    node: h("fieldset", {}, h("legend", {}, `${number}. ${text(`quiz_${number}_question`)}`), choices, verdict),
  };
}
