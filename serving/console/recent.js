// The last requests of this tab, to ask again by one click.

import { element } from "./elements.js";

const NAME = "lockstep.recent";
const MOST = 8;

/** The requests, the newest first; each is `{useCase, label, values}`. */
export function recent() {
  try {
    return JSON.parse(sessionStorage.getItem(NAME) ?? "[]");
  } catch {
    return [];
  }
}

/** Remembers a request; one of the same entities goes away. */
export function remember({ name, fields }, values) {
  const ids = fields.filter((field) => field.required && field.stored);
  const label = ids.map((field) => `${field.name} ${values[field.name]}`).join(" · ");
  const others = recent().filter((one) => one.useCase !== name || one.label !== label);
  const kept = [{ useCase: name, label, values }, ...others].slice(0, MOST);
  sessionStorage.setItem(NAME, JSON.stringify(kept));
}

/** Shows them inside `place`; `pick` is called with the one that was chosen. */
export function showRecent(place, pick) {
  const items = recent().map((request) => {
    const button = element("button", { type: "button" }, request.label);
    button.addEventListener("click", () => pick(request));
    return element("li", {}, button);
  });
  place.hidden = items.length === 0;
  place.querySelector("ul").replaceChildren(...items);
}
