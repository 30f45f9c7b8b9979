// What stands beside an answer: the models, the last parity audit, and problems.

import { element, facts, numeric, numberText } from "./elements.js";

/** What is loaded for each use case, and what was refused and why. */
export function modelPanel(models) {
  return models.flatMap((of) => [
    ...of.loaded.map((model) => loaded(of.use_case, model)),
    of.loaded.length ? null : element("p", { class: "notice" }, `${of.use_case}: no model is loaded.`),
    ...of.refused.map(refused),
    of.registry ? element("p", { class: "notice" }, `MLflow was not reached: ${of.registry}`) : null,
    element("p", { class: "hint" }, `${of.use_case}: registry last asked ${of.checked ?? "never"}.`),
  ]).filter(Boolean);
}

function loaded(useCase, model) {
  return element(
    "article",
    { class: "model" },
    element("h3", {}, `${model.name} version ${model.version} `, element("span", { class: "badge" }, model.alias)),
    facts([
      ["Use case", useCase],
      ["Service", model.feature_service],
      ["Threshold", numeric(model.threshold, numberText(model.threshold, 4))],
      ["Labels up to", model.trained_as_of],
      ["Fingerprint", element("code", {}, model.fingerprint)],
    ]),
  );
}

function refused({ alias, version, why }) {
  const what = version === null ? alias : `${alias}, version ${version}`;
  return element("p", { class: "notice" }, element("strong", {}, `Refused: ${what}. `), why);
}

/** The last audit's document, whatever it holds; null where no audit has run. */
export function parityPanel(audit) {
  if (audit === null) return [element("p", {}, "No audit has run.")];
  const text = (value) => (typeof value === "number" ? numeric(value) : plain(value));
  return [facts(Object.entries(audit).map(([name, value]) => [name.replaceAll("_", " "), text(value)]))];
}

function plain(value) {
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
