// Elements from plain values: whatever comes from the API or a person becomes text, never markup.

/** An element; children that are no nodes are text, and null is left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A list of names and what they are; null is left out. */
export function facts(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined) continue;
    list.append(element("dt", {}, name), element("dd", {}, value));
  }
  return list;
}

/** A number that is easy to read; its digits as answered are its `value` and its tooltip. */
export function numeric(value, text = numberText(value)) {
  if (value === null || value === undefined) return element("span", { class: "none" }, "none");
  return element("data", { value: String(value), title: String(value) }, text);
}

/** Whole numbers in full, others to six digits. */
export function numberText(value, digits = 6) {
  if (typeof value !== "number") return String(value);
  const format = Number.isInteger(value) ? {} : { maximumSignificantDigits: digits };
  return new Intl.NumberFormat("en-US", format).format(value);
}

/** Two numbers with as many digits as it takes to tell them apart, four at least. */
export function apart(a, b) {
  for (let digits = 4; digits < 17; digits += 1) {
    const [first, second] = [numberText(a, digits), numberText(b, digits)];
    if (first !== second || a === b) return [first, second];
  }
  return [String(a), String(b)];
}

/** With its sign, such as +1.83. */
export function signed(value) {
  const format = { signDisplay: "exceptZero", maximumFractionDigits: 3 };
  return new Intl.NumberFormat("en-US", format).format(value);
}

/** Seconds as people say them. */
export function durationText(seconds) {
  const whole = Math.round(seconds);
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(whole / unit));
  if (minutes < 1) return `${numberText(seconds, 3)} s`;
  if (hours < 1) return `${minutes} min ${whole % 60} s`;
  if (days < 2) return `${hours} h ${minutes % 60} min`;
  return `${numberText(days)} d`;
}
