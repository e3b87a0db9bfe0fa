// What the pages need beyond htmx: fields that depend on others, messages beside fields, clocks, what is
// selected in a list, and what is said where a request was refused. Refreshing is live.js's.
"use strict";

const byId = (id) => document.getElementById(id);

// The page's own words (pages/scripts.py), in the reader's language; `places`: what stands for %(name)s.
const WORDS = JSON.parse(byId("words").textContent);
const say = (name, places = {}) => WORDS[name].replace(/%\((\w+)\)s/g, (_, place) => places[place]);
const AWAY = say("away");

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
    if (button) button.textContent = say(box.checked ? "test and save" : "save");
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
  navigator.clipboard.writeText(byId(button.dataset.copies).textContent).then(() => { button.textContent = say("copied"); });
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
  const known = String(xhr.status) in WORDS ? String(xhr.status) : "otherwise";
  tell(sentenceOf(xhr) || say(known, { status: xhr.status }), elt);
}

// --- what is selected in a list --------------------------------------------------------------

const picks = (form) => [...form.querySelectorAll("tbody input[type=checkbox]")];
const isGone = (box) => box.closest("[data-gone]") !== null;  // selected, and not on this page any more

function selectionWords(count, gone, most, isForAll) {
  if (count > most && !isForAll) return say("too many selected", { count, most });
  if (gone > 0) return say("selected elsewhere", { count, gone });
  return count ? say("selected", { count }) : "";
}

function showSelection() {
  for (const form of document.querySelectorAll("form[data-selection]")) {
    const all = picks(form).filter((box) => !isGone(box));
    const here = all.filter((box) => box.checked).length;
    const gone = picks(form).filter((box) => isGone(box) && box.checked).length;
    const whole = form.querySelector("[data-select-all]");
    if (whole) {
      whole.hidden = false;
      whole.checked = here > 0 && here === all.length;
      whole.indeterminate = here > 0 && here < all.length;
    }
    const most = Number(form.dataset.selection);
    const isForAll = form.elements.scope?.value === "all";
    for (const button of form.querySelectorAll("button[name=do]")) button.disabled = !isForAll && here + gone > most;
    const words = selectionWords(here + gone, gone, most, isForAll);
    const place = form.querySelector("[data-selected]");
    if (place && place.textContent !== words) place.textContent = words;
  }
}

function selectAll(whole) {
  for (const box of picks(whole.form)) if (!isGone(box)) box.checked = whole.checked;
}

// With all that match, the boxes say nothing: a form may have so many fields and no more.
function leaveOutSelected(event) {
  const form = event.target;
  if (!form.matches("form[data-selection]") || event.formData.get("scope") !== "all") return;
  for (const box of picks(form)) event.formData.delete(box.name);
}

// Where the links of a navigation do not fit beside one another, the one of this page is in sight.
function showWhere() {
  for (const here of document.querySelectorAll("nav [aria-current]")) {
    const nav = here.closest("nav");
    const [link, whole] = [here, nav].map((each) => each.getBoundingClientRect());
    nav.scrollLeft += link.x + link.width / 2 - (whole.x + whole.width / 2);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  showFields();
  showWhere();
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
  showSelection();
  document.addEventListener("formdata", leaveOutSelected);
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-select-all]")) selectAll(event.target);
    showSelection();
  });
  document.addEventListener("courier:changed", () => {
    showFields();
    showSelection();
  });
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!polls(element)) byId("trouble").hidden = true;
    if (element.id === "ftp") clearProblems();
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    showFields();
    placeProblems(event.detail.elt);
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) untell(event.detail.elt);
  });
  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(failure, (event) => { tell(AWAY, event.detail.elt); });
  }
  document.body.addEventListener("htmx:responseError", refused);
});
