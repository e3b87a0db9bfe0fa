// What the pages need beyond htmx: fields that depend on others, messages beside fields, clocks,
// and what is said where a request was refused or a page does not refresh itself.
"use strict";

const byId = (id) => document.getElementById(id);
const PAUSED = "not refreshed while you work in it";
const AWAY = "The console does not answer: what is shown may be out of date.";
const REFUSED = {
  403: "You may not do this.",
  404: "There is no such thing any more: reload the page.",
  409: "Something has changed meanwhile: reload the page, and look at it.",
  413: "What was sent is too large.",
  429: "Too many requests: try again in a minute.",
};

// --- fields ----------------------------------------------------------------------------------

function showFields() {
  for (const field of document.querySelectorAll("[data-shown-when]")) {
    const [name, wanted] = field.dataset.shownWhen.split("=");
    const other = byId(name);
    // A field that does not apply itself counts as its first choice.
    const value = other.disabled && other.options ? other.options[0].value : other.value;
    const applies = wanted.split("|").includes(value);
    field.hidden = !applies;
    for (const input of field.querySelectorAll("input, select, textarea")) input.disabled = !applies;
  }
  for (const input of document.querySelectorAll("[data-default-ftp]")) {
    const all = [...input.attributes].filter((each) => each.name.startsWith("data-default-"));
    const defaults = all.map((each) => each.value);
    const now = input.getAttribute(`data-default-${byId("protocol").value}`);
    input.placeholder = now;
    if (defaults.includes(input.value)) input.value = now;
  }
  for (const box of document.querySelectorAll("[data-opens]")) {
    byId(box.dataset.opens).hidden = !box.checked;
    const button = byId("save");
    if (button) button.textContent = box.checked ? "Test and save" : "Save";
  }
  for (const password of document.querySelectorAll("[data-elsewhere]")) askForPassword(password);
  for (const button of document.querySelectorAll("[data-copies]")) button.hidden = !navigator.clipboard;
}

function askForPassword(password) {
  const kept = password.dataset.kept || password.placeholder;
  const moved = [...document.querySelectorAll("[data-was]")].some((each) => each.value !== each.dataset.was);
  password.dataset.kept = kept;
  password.placeholder = moved ? password.dataset.elsewhere : kept;
}

function copy(button) {
  navigator.clipboard.writeText(byId(button.dataset.copies).textContent).then(() => { button.textContent = "Copied"; });
}

function clearProblems() {
  for (const place of document.querySelectorAll("[data-error]")) place.textContent = "";
  for (const input of document.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function placeProblems(root) {
  let first = null;
  for (const problem of root.querySelectorAll("[data-problem]")) {
    const name = problem.dataset.problem;
    const input = name && byId(name);
    if (!input) continue;
    byId(`${name}-error`).textContent = problem.dataset.words;
    input.setAttribute("aria-invalid", "true");
    first = first || input;
  }
  if (first) first.focus();
}

// --- times -----------------------------------------------------------------------------------

function tick() {
  for (const clock of document.querySelectorAll("[data-seconds]")) {
    const left = Math.max(0, Number(clock.dataset.seconds) - 1);
    clock.dataset.seconds = left;
    const minutes = Math.floor(left / 60);
    const seconds = String(left % 60).padStart(2, "0");
    if (left < 3600) clock.textContent = minutes ? `${minutes} min ${seconds} s` : `${left} s`;
  }
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.dateTime).toLocaleString();
  }
}

// --- what went wrong -------------------------------------------------------------------------

const polls = (element) => element.matches("[hx-trigger*='every']");

function tell(words, element) {
  const trouble = byId("trouble");
  trouble.textContent = words;
  trouble.dataset.from = polls(element) ? "poll" : "act";
  trouble.hidden = false;
}

function untell(element) {
  const trouble = byId("trouble");
  if (polls(element) && trouble.dataset.from === "act" && trouble.textContent !== AWAY) return;
  trouble.hidden = true;
}

// The server's own sentence, from its page or its JSON; "" where something else has answered.
function sentenceOf(xhr) {
  const kind = xhr.getResponseHeader("Content-Type") || "";
  if (kind.startsWith("application/json")) {
    try {
      return JSON.parse(xhr.responseText).error.message || "";
    } catch {
      return "";
    }
  }
  const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
  const sentence = page.querySelector("[data-sentence]");
  return sentence ? sentence.textContent.trim() : "";
}

function refused(event) {
  const { xhr, elt } = event.detail;
  if (xhr.status === 401) {
    window.location.assign("/sign-in");
    return;
  }
  const otherwise = `The console cannot answer now (${xhr.status}): try again in a minute.`;
  tell(sentenceOf(xhr) || REFUSED[xhr.status] || otherwise, elt);
}

// --- parts that refresh themselves -----------------------------------------------------------

const offsets = new Map();
let pressed = null;

// Whoever types, tabs, presses or selects in a part would lose what they are at by a swap.
function isWorkedIn(part) {
  const at = document.activeElement;
  const selection = window.getSelection();
  const selects = !selection.isCollapsed && part.contains(selection.anchorNode);
  const isAt = part.contains(at) && at.matches("a, button, input, select, textarea, summary");
  return isAt || selects || (pressed !== null && part.contains(pressed));
}

function beforeRefresh(event) {
  const part = event.detail.elt;
  if (document.hidden) event.preventDefault();
  if (!isWorkedIn(part)) return;
  event.preventDefault();
  for (const live of part.querySelectorAll("[data-live]")) live.textContent = PAUSED;
}

function goOn() {
  for (const part of document.querySelectorAll("[data-refreshes]")) {
    const live = part.querySelector("[data-live]");
    if (live && live.textContent === PAUSED && !isWorkedIn(part)) window.htmx.trigger(part, "refresh");
  }
}

function keepOffsets(part) {
  for (const table of part.querySelectorAll(".scroll[id]")) offsets.set(table.id, table.scrollLeft);
}

function restoreOffsets() {
  for (const [id, left] of offsets) if (byId(id)) byId(id).scrollLeft = left;
  offsets.clear();
}

document.addEventListener("DOMContentLoaded", () => {
  showFields();
  localTimes(document);
  setInterval(tick, 1000);
  document.addEventListener("change", showFields);
  document.addEventListener("input", showFields);
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.matches("[data-copies]")) copy(event.target);
  });
  document.addEventListener("pointerdown", (event) => { pressed = event.target; });
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { pressed = null; });
  for (const left of ["focusout", "selectionchange", "visibilitychange"]) {
    document.addEventListener(left, () => { setTimeout(goOn); });
  }
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (element.matches("[data-refreshes]")) beforeRefresh(event);
    if (!polls(element)) byId("trouble").hidden = true;
    if (element.id === "ftp") clearProblems();
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => { keepOffsets(event.detail.target); });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    restoreOffsets();
    showFields();
    placeProblems(event.detail.elt);
    localTimes(document);
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) untell(event.detail.elt);
  });
  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(failure, (event) => { tell(AWAY, event.detail.elt); });
  }
  document.body.addEventListener("htmx:responseError", refused);
});
