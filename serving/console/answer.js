// What was answered: the score and the decision, why, and each feature that went in.

import { apart, durationText, element, facts, numeric, numberText, signed } from "./elements.js";

const SHOWN_AT_ONCE = 8;
const COMMON = ["request_id", "event_timestamp", "score", "decision", "threshold", "model"].concat(
  ["flags", "features", "probabilities", "value", "low", "high", "coverage"],
);
const STATUS_WORDS = {
  NOT_FOUND: "nothing is known of the entity; the model reads it as unknown",
  FUTURE: "what is stored was not yet known at T; the model reads it as unknown",
  EXPIRED: "what is stored is older than its time to live; the model reads it as unknown",
  STALE: "the value is used, but something may have changed since",
  NULL: "there is no value, such as a rate of no events",
};

/** The cards of a prediction; `reasons` and `stored` are null where they are not known. */
export function answerCards(prediction, explanation, stored, storedProblem) {
  return [
    verdict(prediction),
    explanation ? reasons(explanation, unitOf(prediction)) : null,
    features(prediction, stored, storedProblem),
  ].filter(Boolean);
}

function verdict(prediction) {
  const { model } = prediction;
  const { kind, title, headline, bar, said } =
    "score" in prediction ? decided(prediction) : estimated(prediction);
  const own = Object.keys(prediction).filter((name) => !COMMON.includes(name));
  return element(
    "section",
    { class: `card verdict ${kind}`, id: "verdict", "aria-labelledby": "verdict-title" },
    element("h2", { id: "verdict-title" }, title),
    element("div", { class: "headline" }, ...headline),
    ...bar,
    facts([
      ...said,
      ["T", element("time", { datetime: prediction.event_timestamp }, prediction.event_timestamp)],
      ["Flags", flags(prediction.flags)],
      ["Model", `${model.name} version ${model.version}, service ${model.feature_service}`],
      ["Fingerprint", element("code", {}, model.fingerprint)],
      ["Request id", element("code", {}, prediction.request_id)],
      ...own.map((name) => [name, prediction[name] === null ? null : String(prediction[name])]),
    ]),
  );
}

// What a model of classes says: the decision, its score, and what else was possible.
function decided({ decision, score, threshold, probabilities }) {
  const [scoreText, thresholdText] = apart(score, threshold);
  const possible = Object.entries(probabilities ?? {});
  return {
    kind: score >= threshold ? "positive" : "negative",
    title: "Decision",
    headline: [
      element("p", { class: "decision" }, decision),
      " ",
      element("p", { class: "score" }, numeric(score, scoreText), element("span", {}, " score")),
    ],
    bar: [scale(score, threshold)],
    said: [
      ["Threshold", numeric(threshold, thresholdText)],
      ...possible.map(([name, probability]) => [name, numeric(probability)]),
    ],
  };
}

// What a model of quantiles says: a number, and the interval around it.
function estimated({ value, low, high, coverage }) {
  return {
    kind: "negative",
    title: "Estimate",
    headline: [element("p", { class: "decision" }, numeric(value))],
    bar: [],
    said: [
      ["From", numeric(low)],
      ["To", numeric(high)],
      ["In so many cases", `${Math.round(100 * coverage)} %`],
    ],
  };
}

function scale(score, threshold) {
  const bar = element("div", { class: "scale", "aria-hidden": "true" });
  const [filled, mark] = [element("span", { class: "filled" }), element("span", { class: "mark" })];
  filled.style.width = `${100 * score}%`;
  mark.style.left = `${100 * threshold}%`;
  bar.append(filled, mark);
  return bar;
}

function flags(found) {
  if (!found.length) return "none";
  return element("span", { class: "badges" }, ...found.map((flag) => badge(flag)));
}

function badge(status) {
  const kind = status === "PRESENT" ? "good" : "bad";
  return element("span", { class: `badge status-${kind}` }, status);
}

// What the contributions are in: two classes have log-odds, other models what they were fitted in.
function unitOf(prediction) {
  return "score" in prediction && !prediction.probabilities ? "log-odds" : "the model's raw output";
}

function reasons({ base, reasons: found }, unit) {
  const most = Math.max(...found.map((reason) => Math.abs(reason.contribution)), 1e-9);
  const items = found.map((reason) => reasonItem(reason, most));
  const total = found.reduce((sum, reason) => sum + reason.contribution, base);
  const rest = items.slice(SHOWN_AT_ONCE);
  return element(
    "section",
    { class: "card", id: "reasons", "aria-labelledby": "reasons-title" },
    element("h2", { id: "reasons-title" }, "Why"),
    element(
      "p",
      { class: "hint" },
      `In ${unit}: `,
      numeric(base, signed(base)),
      " before any feature is looked at, ",
      numeric(total, signed(total)),
      " with all of them. Bars to the right raise the score, bars to the left lower it.",
    ),
    element("ol", { class: "reasons" }, ...items.slice(0, SHOWN_AT_ONCE)),
    rest.length
      ? element(
          "details",
          {},
          element("summary", {}, `${rest.length} more that matter less`),
          element("ol", { class: "reasons", start: SHOWN_AT_ONCE + 1 }, ...rest),
        )
      : null,
  );
}

function reasonItem({ feature, words, contribution }, most) {
  const side = contribution > 0 ? "raises" : "lowers";
  const fill = element("span", { class: side });
  fill.style.width = `${(50 * Math.abs(contribution)) / most}%`;
  return element(
    "li",
    { "data-feature": feature },
    element("p", { title: feature }, words),
    element("div", { class: "bar", "aria-hidden": "true" }, fill),
    element("span", { class: `amount ${side}` }, numeric(contribution, signed(contribution))),
  );
}

function features(prediction, stored, storedProblem) {
  const read = Object.entries(prediction.features);
  const beside = Object.entries(stored?.features ?? {}).filter(
    ([name]) => !(name in prediction.features),
  );
  const ofView = (name) => {
    if (!stored) return "not known";
    return stored.features[name]?.view ?? "computed for the request";
  };
  const rows = read.map(([name, feature]) => featureRow(name, feature, ofView(name)));
  const notRead = beside.map(([name, feature]) =>
    featureRow(name, feature, `${feature.view}, not read by the model`),
  );
  const shown = [...read, ...beside].map(([, feature]) => feature.status);
  return element(
    "section",
    { class: "card", id: "features", "aria-labelledby": "features-title" },
    element("h2", { id: "features-title" }, "Features"),
    element("p", { class: "badges" }, ...counts(shown)),
    storedProblem
      ? element("p", { class: "field-problem" }, `Views are not shown: ${storedProblem}`)
      : null,
    table(["Feature", "Value", "Status", "Age", "View"], [...rows, ...notRead]),
    legend(shown),
  );
}

function counts(statuses) {
  const unique = [...new Set(statuses)];
  const count = (status) => statuses.filter((one) => one === status).length;
  return unique.map((one) => element("span", {}, `${count(one)} `, badge(one)));
}

function legend(statuses) {
  const seen = Object.keys(STATUS_WORDS).filter((status) => statuses.includes(status));
  return seen.length ? facts(seen.map((status) => [badge(status), STATUS_WORDS[status]])) : null;
}

// Roles are said, since narrow screens show rows as blocks and a browser then forgets them.
function table(heads, rows) {
  const cells = heads.map((head) => element("th", { scope: "col", role: "columnheader" }, head));
  return element(
    "table",
    { role: "table", "aria-labelledby": "features-title" },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...cells)),
    element("tbody", { role: "rowgroup" }, ...rows),
  );
}

function featureRow(name, { value, status, age_seconds: age }, view) {
  const cell = (kind, child) => element("td", { role: "cell", class: kind }, child);
  return element(
    "tr",
    { role: "row", "data-feature": name, class: status === "PRESENT" ? null : "not-present" },
    element("th", { scope: "row", role: "rowheader" }, name),
    cell("value", numeric(value, numberText(value))),
    cell("status", badge(status)),
    cell("age", numeric(age, age === null ? "" : durationText(age))),
    cell("view", view),
  );
}
