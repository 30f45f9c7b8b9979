// A request as a command: the key is named, never written.

import { element } from "./elements.js";

/** `curl` for a POST of JSON text. */
export function curlCommand(url, body) {
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  return [
    `curl -s ${quoted(url)}`,
    `-H "X-API-Key: $LOCKSTEP_API_KEY"`,
    `-H 'Content-Type: application/json'`,
    `-d ${quoted(body)}`,
  ].join(" \\\n  ");
}

/** Copies the command and shows it, for browsers that let no page copy. */
export async function copyCommand(place, command) {
  const shown = element("textarea", { readonly: "", rows: 7, "aria-label": "The request as curl" });
  shown.value = command;
  const copied = await navigator.clipboard?.writeText(command).then(
    () => true,
    () => false,
  );
  const words = copied ? "Copied. " : "Select it and copy. ";
  const hint = `${words}Set LOCKSTEP_API_KEY to your key first.`;
  place.replaceChildren(element("p", { class: "hint" }, hint), shown);
  if (!copied) shown.select();
}
