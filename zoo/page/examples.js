// A strip of example images. value: {items: [{name, title, src}], selected, strings}; event "pick" with {name}.

const strip = element.querySelector(".examples-strip");

function draw() {
  const {items, selected, strings} = props.value || {items: [], strings: {}};
  element.querySelector(".examples-heading").textContent = strings.examples || "";
  element.querySelector(".examples-licence").textContent = strings.examples_licence || "";
  strip.replaceChildren(
    ...items.map((item) => {
      const entry = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.title = item.title;
      button.setAttribute("aria-label", item.title);
      button.setAttribute("aria-pressed", String(item.name === selected));
      button.addEventListener("click", () => {
        for (const other of strip.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
        props.value = {...props.value, selected: item.name};
        trigger("pick", {name: item.name});
      });
      const image = document.createElement("img");
      image.src = item.src;
      image.alt = "";
      button.append(image);
      entry.append(button);
      return entry;
    }),
  );
}

draw();
watch("value", draw);
