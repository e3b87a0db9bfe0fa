// What the pages need beyond htmx: fields that depend on others, messages beside fields, clocks.
"use strict";

const byId = (id) => document.getElementById(id);

function showFields() {
  for (const field of document.querySelectorAll("[data-shown-when]")) {
    const [name, wanted] = field.dataset.shownWhen.split("=");
    const applies = byId(name).value === wanted;
    field.hidden = !applies;
    for (const input of field.querySelectorAll("input, select")) input.disabled = !applies;
  }
  for (const input of document.querySelectorAll("[data-default-ftp]")) {
    const now = input.getAttribute(`data-default-${byId("protocol").value}`);
    const defaults = [input.dataset.defaultFtp, input.dataset.defaultSftp];
    input.placeholder = now;
    if (defaults.includes(input.value)) input.value = now;
  }
  for (const box of document.querySelectorAll("[data-opens]")) {
    byId(box.dataset.opens).hidden = !box.checked;
    const button = byId("save");
    if (button) button.textContent = box.checked ? "Test and save" : "Save";
  }
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

document.addEventListener("DOMContentLoaded", () => {
  showFields();
  localTimes(document);
  setInterval(tick, 1000);
  document.addEventListener("change", showFields);
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const isPoll = event.detail.elt.matches("#rows, #activity");
    const holdsFocus = isPoll && event.detail.elt.contains(document.activeElement);
    if (isPoll && (document.hidden || holdsFocus)) event.preventDefault(); // not under a keyboard
    if (event.detail.elt.id === "ftp") clearProblems();
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    placeProblems(event.detail.elt);
    localTimes(document);
    byId("offline").hidden = true;
  });
  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.body.addEventListener(failure, () => { byId("offline").hidden = false; });
  }
});
