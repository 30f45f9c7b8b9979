// What stands beside an answer: the models, the last parity audit, and problems.

import { element, facts, numeric, numberText } from "./elements.js";

/** What is loaded for each use case, and what was refused and why. */
export function modelPanel(models) {
  return models.flatMap(({ use_case: name, loaded, refused, registry, checked }) => [
    ...loaded.map((model) => loadedModel(name, model)),
    ...(loaded.length ? [] : [notice(`${name}: no model is loaded.`)]),
    ...refused.map(refusal),
    ...(registry ? [notice(`MLflow was not reached: ${registry}`)] : []),
    element("p", { class: "hint" }, `${name}: registry last asked ${checked ?? "never"}.`),
  ]);
}

function notice(...words) {
  return element("p", { class: "notice" }, ...words);
}

function loadedModel(useCase, model) {
  const alias = element("span", { class: "badge" }, model.alias);
  return element(
    "article",
    { class: "model" },
    element("h3", {}, `${model.name} version ${model.version} `, alias),
    facts([
      ["Use case", useCase],
      ["Service", model.feature_service],
      ["Threshold", numeric(model.threshold, numberText(model.threshold, 4))],
      ["Labels up to", model.trained_as_of],
      ["Fingerprint", element("code", {}, model.fingerprint)],
    ]),
  );
}

function refusal({ alias, version, why }) {
  const what = version === null ? alias : `${alias}, version ${version}`;
  return notice(element("strong", {}, `Refused: ${what}. `), why);
}

/** The last audit's document, whatever it holds; null where no audit has run. */
export function parityPanel(audit) {
  if (audit === null) return [element("p", {}, "No audit has run.")];
  const members = Object.entries(audit);
  return [facts(members.map(([name, value]) => [name.replaceAll("_", " "), told(value)]))];
}

function told(value) {
  if (typeof value === "number") return numeric(value);
  return value !== null && typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A problem document for people. */
export function problemCard({ document: problem, keyWords, status }) {
  const errors = (problem.errors ?? []).map(({ field, problem: what, got }) =>
    element("li", {}, element("strong", {}, field), `: ${what}`, got ? `; got ${got}` : null),
  );
  return element(
    "section",
    { class: "card problem", role: "alert", id: "problem" },
    element("h2", {}, keyWords ?? problem.title),
    errors.length ? element("ul", {}, ...errors) : element("p", {}, problem.detail),
    facts([
      ["Status", status === null ? null : String(status)],
      ["Kind", problem.type ? element("code", {}, problem.type) : null],
      ["Path", problem.instance ? element("code", {}, problem.instance) : null],
    ]),
  );
}

/** One line for where a whole card would be too much. */
export function problemLine({ document: problem, keyWords }) {
  return keyWords ?? `${problem.title}: ${problem.detail}`;
}
