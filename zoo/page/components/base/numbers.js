// Numbers as the page's language writes them; "–" for what is no number.

import { locale } from "./texts.js";

/** True for a number that can be shown, sorted and drawn. */
export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** True for [low, high] with two numbers. */
export function isInterval(value) {
  return Array.isArray(value) && value.length === 2 && value.every(isNumber);
}

/** A number with `digits` decimals; `options` are those of Intl.NumberFormat. */
export function decimal(value, digits = 0, options = {}) {
  if (!isNumber(value)) return "–";
  const written = { minimumFractionDigits: digits, maximumFractionDigits: digits, ...options };
  return new Intl.NumberFormat(locale(), written).format(value);
}

/** A number with its sign as it is printed, none for zero: -0.043 -> "−0.04". */
export function withSign(value, digits = 0) {
  return decimal(value, digits, { signDisplay: "exceptZero" }).replace("-", "−");
}

/** A fraction in [0, 1] as per cent without the sign: 0.593 -> "59.3". */
export function percent(fraction, digits = 1) {
  return isNumber(fraction) ? decimal(100 * fraction, digits) : "–";
}

/** A fraction in [0, 1] as per cent with its sign, as the language sets it: "59.3%". */
export function percentage(fraction, digits = 1) {
  return decimal(fraction, digits, { style: "percent" });
}

/** Half the width of an interval of fractions, in points: [0.57, 0.61] -> "±2.0"; nothing without an interval. */
export function margin(interval) {
  return isInterval(interval) ? `±${percent((interval[1] - interval[0]) / 2)}` : "";
}

/** A large number in few digits: 1300000 -> "1.3M". */
export function compact(value, digits = 3) {
  return decimal(value, 0, { notation: "compact", maximumSignificantDigits: digits });
}
