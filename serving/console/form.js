// The inputs of one use case, what stands in them, and what is wrong with them.

import { element } from "./elements.js";

/** The inputs of `fields` inside `place`. */
export class Form {
  constructor(place) {
    this.place = place;
    this.fields = [];
  }

  show(fields) {
    this.fields = fields;
    this.place.replaceChildren(...fields.map(row));
  }

  /** What stands in the inputs, as texts by name. */
  get values() {
    return Object.fromEntries(this.fields.map(({ name }) => [name, input(name).value.trim()]));
  }

  fill(values) {
    this.forgetProblems();
    for (const { name } of this.fields) input(name).value = values[name] ?? "";
  }

  fillExamples() {
    const examples = this.fields.filter((field) => field.required && field.example !== null);
    this.fill(Object.fromEntries(examples.map((field) => [field.name, String(field.example)])));
  }

  /** Says beside each input what is wrong with it; whether there is one, which gets the focus. */
  showProblems(errors) {
    const known = errors.filter((error) => this.fields.some((f) => f.name === fieldOf(error)));
    for (const error of known) {
      const name = fieldOf(error);
      input(name).setAttribute("aria-invalid", "true");
      problemPlace(name).textContent = error.problem;
    }
    if (known.length) focusOn(input(fieldOf(known[0])));
    return known.length > 0;
  }

  forgetProblems() {
    for (const { name } of this.fields) {
      input(name).removeAttribute("aria-invalid");
      problemPlace(name).textContent = "";
    }
  }
}

/** The input that an error is about: `amount_cents`, or `items` of `items.0.price`. */
function fieldOf(error) {
  return error.field.split(".")[0];
}

const input = (name) => document.getElementById(`field-${name}`);
const problemPlace = (name) => document.getElementById(`problem-${name}`);

/** Brings an input, and what is said of it, into sight; also where it has the focus already. */
export function focusOn(place) {
  place.focus();
  place.closest(".field").scrollIntoView({ block: "nearest" });
}

function row(field) {
  const { name, required, hint } = field;
  const [id, hintId, problemId] = [`field-${name}`, `hint-${name}`, `problem-${name}`];
  const optional = required ? null : element("span", { class: "hint" }, " optional");
  const attributes = {
    id,
    "aria-describedby": `${hintId} ${problemId}`,
    "aria-required": String(required),
  };
  return element(
    "div",
    { class: "field" },
    element("label", { for: id }, name, optional),
    field.choices ? choice(field, attributes) : text(field, attributes),
    element("p", { class: "hint", id: hintId }, hint),
    element("p", { class: "field-problem", id: problemId }),
  );
}

function text({ type, example }, attributes) {
  return element("input", {
    ...attributes,
    type: "text",
    inputmode: { integer: "numeric", number: "decimal" }[type] ?? "text",
    placeholder: example === null ? null : `such as ${example}`,
    spellcheck: "false",
    autocapitalize: "off",
  });
}

function choice({ choices, required }, attributes) {
  const options = choices.map((one) => element("option", {}, String(one)));
  if (!required) options.unshift(element("option", { value: "" }, "not given"));
  return element("select", attributes, ...options);
}
