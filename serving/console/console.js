// The page as a whole: what happens when somebody types, asks or picks.

import { address, ask, key, Problem } from "./api.js";
import { answerCards } from "./answer.js";
import { copyCommand, curlCommand } from "./curl.js";
import { element } from "./elements.js";
import { focusOn, Form } from "./form.js";
import { modelPanel, parityPanel, problemCard, problemLine } from "./panels.js";
import { remember, showRecent } from "./recent.js";
import { bodyText, useCases } from "./schema.js";

const PARITY = "/v1/parity";
const place = (id) => document.getElementById(id);
const form = new Form(place("fields"));
const known = new Map();
let paths = {};
// Counts requests: an answer that was overtaken by the next request is not shown.
let asked = 0;

async function start() {
  place("key").value = key.get();
  try {
    const openapi = await ask("GET", "/openapi.json");
    paths = openapi.paths;
    for (const useCase of useCases(openapi)) known.set(useCase.name, useCase);
  } catch (error) {
    showProblem(error);
    return;
  }
  const choices = [...known.keys()].map((name) => element("option", {}, name));
  place("use-case").replaceChildren(...choices);
  showForm();
  showRecent(place("recent"), pick);
  if (key.get()) await showPanels();
}

function chosen() {
  return known.get(place("use-case").value);
}

function showForm() {
  form.show(chosen()?.fields ?? []);
}

function pick({ useCase, values }) {
  if (!known.has(useCase)) return;
  place("use-case").value = useCase;
  showForm();
  form.fill(values);
}

async function score() {
  const [useCase, values] = [chosen(), form.values];
  if (!useCase) return;
  const number = (asked += 1);
  form.forgetProblems();
  place("key-problem").textContent = "";
  place("spoken").textContent = "";
  place("answer").setAttribute("aria-busy", "true");
  try {
    const cards = await answer(useCase, values);
    if (number !== asked) return;
    showAnswer(cards);
    bringIntoSight(cards[0]);
    place("spoken").textContent = cards[0].querySelector(".headline").textContent;
    remember(useCase, values);
    showRecent(place("recent"), pick);
    await showPanels();
  } catch (error) {
    if (number === asked) showProblem(error);
  }
}

/** The cards of the answer; what is stored is asked for at the T of the prediction. */
async function answer(useCase, values) {
  const told = await ask("POST", useCase.path, bodyText(useCase.fields, values));
  const explanation = "prediction" in told ? told : null;
  const prediction = explanation ? told.prediction : told;
  let [stored, problem] = [null, null];
  if (useCase.featuresPath) {
    const at = { ...values, event_timestamp: prediction.event_timestamp };
    const body = bodyText(useCase.fields.filter((field) => field.stored), at);
    try {
      stored = await ask("POST", useCase.featuresPath, body);
    } catch (error) {
      problem = problemLine(asProblem(error));
    }
  }
  return answerCards(prediction, explanation, stored, problem);
}

function showAnswer(cards) {
  place("answer").replaceChildren(...cards);
  place("answer").removeAttribute("aria-busy");
}

function bringIntoSight(card) {
  const { top, bottom } = card.getBoundingClientRect();
  if (bottom < 0 || top > window.innerHeight / 2) card.scrollIntoView();
}

function showProblem(error) {
  const problem = asProblem(error);
  const card = problemCard(problem);
  showAnswer([card]);
  if (problem.keyWords) {
    place("key-problem").textContent = problem.keyWords;
    focusOn(place("key"));
  } else if (!form.showProblems(problem.document.errors ?? [])) {
    bringIntoSight(card);
  }
}

/** A mistake of this page is shown like any other problem, and told to the browser's console. */
function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem({ title: "The page failed", detail: String(error) });
}

async function showPanels() {
  await Promise.all([
    showPanel(place("models"), async () => modelPanel(await ask("GET", "/v1/models"))),
    showPanel(place("parity"), async () => parityPanel(await lastAudit())),
  ]);
}

async function showPanel(panel, content) {
  try {
    panel.replaceChildren(...(await content()));
  } catch (error) {
    panel.replaceChildren(element("p", { class: "field-problem" }, problemLine(asProblem(error))));
  }
}

/** The document of the last audit, or null; a server without audits is not asked. */
async function lastAudit() {
  if (!paths[PARITY]) return null;
  try {
    return await ask("GET", PARITY);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

place("form").addEventListener("submit", (event) => {
  event.preventDefault();
  score();
});
place("use-case").addEventListener("change", showForm);
place("example").addEventListener("click", () => form.fillExamples());
place("refresh").addEventListener("click", showPanels);
place("curl").addEventListener("click", () => {
  if (!chosen()) return;
  const url = address(chosen().path);
  copyCommand(place("copied"), curlCommand(url, bodyText(form.fields, form.values)));
});
place("key").addEventListener("input", () => {
  key.set(place("key").value.trim());
  place("key-problem").textContent = "";
});
place("key").addEventListener("change", () => key.get() && showPanels());
place("forget").addEventListener("click", () => {
  place("key").value = "";
  key.set("");
  place("key").focus();
});
start();
