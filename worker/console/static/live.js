// Parts of a page that stay true by themselves: <div id="..." data-live="5"> is asked for anew every 5
// seconds, by the page's own address, and what has changed in it is changed in place. Whatever somebody
// is at stays: the focus, what is selected and typed, folds that are open, the place of a scrolled table.
// It says in words how old it is, and why it is not refreshed. Links with data-here and forms with
// data-filters are followed in place, and stand in the address.
"use strict";

(() => {
  const ANSWER_MS = 20000;
  const LONGEST_WAIT = 30;
  const TYPING_MS = 250;
  const BY_CLOCK = { "HX-Request": "true" };
  const BY_PERSON = { ...BY_CLOCK, "X-Asked": "true" };  // keeps the session open
  const lives = new Map();
  let pressed = null;
  let shown = location.pathname + location.search;

  // --- changing in place -----------------------------------------------------------------------

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE && (node.id || node.dataset.key || node.dataset.keep)) || null;
  const isAt = (node) => node.contains(document.activeElement) && document.activeElement !== document.body;

  // Somebody is at it, so that it may not go although it is not in the list any more.
  const isHeld = (node) =>
    node.nodeType === Node.ELEMENT_NODE && keyOf(node) !== null &&
    (isAt(node) || node.querySelector("input[type=checkbox]:checked, details[open]") !== null);

  // A row that somebody has selected stays whatever list is asked for next: it is let go by its box alone.
  const isSelected = (node) =>
    node.nodeName === "TR" && node.closest("form[data-selection]") !== null &&
    node.querySelector("input[type=checkbox]:checked") !== null;

  function matchAttributes(old, fresh) {
    const isFold = old.tagName === "DETAILS";
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(isFold && name === "open")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !(isFold && name === "open")) old.setAttribute(name, value);
    }
  }

  function change(old, fresh, isAsked) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    const isField = old.matches("input, select, textarea");
    if (isTime(old) || old.hasAttribute("data-keep") || (isField && old === document.activeElement)) return;
    if (isAsked || !old.isEqualNode(fresh)) {
      matchAttributes(old, fresh);
      changeChildren(old, fresh, isAsked);
    }
    if (isField && isAsked && old.closest("form[data-filters]")) {  // it says what the address says
      old.value = fresh.value;
      old.checked = fresh.checked;
    }
  }

  // A time's words are the reader's own (times.js): it stays as it is, or is put in anew.
  const isTime = (node) => node.nodeName === "TIME";
  const isAnother = (old, next) => old.nodeName !== next.nodeName || (isTime(old) && old.dateTime !== next.dateTime);

  // The old node for each fresh one: by its key, or else the next one of the same kind.
  function pairs(old, fresh) {
    const keyed = new Map();
    for (const child of old.children) if (keyOf(child)) keyed.set(keyOf(child), child);
    const others = [...old.childNodes].filter((child) => keyOf(child) === null);
    return [...fresh.childNodes].map((next) => {
      const key = keyOf(next);
      if (key) return [keyed.get(key), next];
      const index = others.findIndex((child) => child.nodeName === next.nodeName);
      return [index < 0 ? undefined : others.splice(0, index + 1).pop(), next];
    });
  }

  function changeChildren(old, fresh, isAsked) {
    const wanted = pairs(old, fresh).map(([same, next]) => {
      if (same === undefined || isAnother(same, next)) return document.importNode(next, true);
      change(same, next, isAsked);
      return same;
    });
    const kept = new Set(wanted);
    for (const child of [...old.childNodes]) {
      if (kept.has(child)) continue;
      if (isAsked ? isSelected(child) : isHeld(child)) keepHeld(child, wanted);
      else child.remove();
    }
    putInOrder(old, wanted);
  }

  function keepHeld(child, wanted) {
    child.dataset.gone = say("gone");
    const before = wanted.indexOf(child.previousSibling);
    wanted.splice(before + 1, 0, child);
  }

  // A node that is moved loses the focus: the others are moved around the one that has it.
  function putInOrder(parent, wanted) {
    const isInOrder = wanted.every((node, index) => parent.childNodes[index] === node);
    if (isInOrder) return;
    const fixed = wanted.find((node) => node.parentNode === parent && isAt(node)) || null;
    let isBefore = fixed !== null;
    for (const node of wanted) {
      if (node === fixed) isBefore = false;
      else parent.insertBefore(node, isBefore ? fixed : null);
    }
  }

  function swap(text, isAsked) {
    const answer = new DOMParser().parseFromString(text, "text/html");
    const fresh = [...answer.body.children].filter((each) => each.id && document.getElementById(each.id));
    for (const each of fresh) {
      const old = document.getElementById(each.id);
      change(old, each, isAsked);
      if (window.htmx) window.htmx.process(old);
    }
    find();
    document.dispatchEvent(new CustomEvent("courier:changed"));
    return fresh.length > 0;
  }

  // --- when ------------------------------------------------------------------------------------

  function whyPaused(part) {
    if (document.hidden) return "hidden";
    const selection = window.getSelection();
    const selects = !selection.isCollapsed && part.contains(selection.anchorNode);
    if (selects) return "selects";
    if (pressed !== null && part.contains(pressed)) return "pressed";
    return "";
  }

  async function ask(url, headers) {
    const control = new AbortController();
    const limit = setTimeout(() => control.abort(), ANSWER_MS);
    try {
      const answer = await fetch(url, { headers, signal: control.signal, cache: "no-store" });
      return { status: answer.status, text: await answer.text() };
    } catch {
      return { status: 0, text: "" };
    } finally {
      clearTimeout(limit);
    }
  }

  // `isAsked`: somebody has followed a link; `isUrgent`: or wants it now. Returns the answer's status.
  async function refresh(live, { isAsked = false, isUrgent = isAsked } = {}) {
    if (live.isBusy && !isAsked) return 0;
    live.isBusy = true;
    const turn = ++live.turn;
    tell(live);
    const { status, text } = await ask(location.href, isUrgent ? BY_PERSON : BY_CLOCK);
    if (turn !== live.turn) return 0;  // another page was asked for meanwhile
    live.isBusy = false;
    if (status === 401) location.assign(`/sign-in?to=${encodeURIComponent(location.pathname)}`);
    else if (isUrgent || !whyPaused(live.part)) take(live, status, text, isAsked);
    return status;
  }

  function take(live, status, text, isAsked) {
    const isGood = status === 200 && swap(text, isAsked);
    live.failures = isGood ? 0 : live.failures + 1;
    live.problem = isGood ? "" : problemOf(status);
    if (isGood) live.updated = Date.now();
    const wait = isGood ? live.seconds : Math.min(LONGEST_WAIT, live.seconds * 2 ** live.failures);
    live.due = Date.now() + 1000 * wait;
    tell(live);
  }

  function problemOf(status) {
    if (status === 0) return say("silent");
    if (status === 404 || status === 403) return say("not shown");
    return say("cannot", { status });
  }

  // --- in words --------------------------------------------------------------------------------

  const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

  // `words`: "updated" or "paused", each told in seconds, in minutes, or by the clock.
  function since(words, moment, places) {
    const seconds = Math.max(0, Math.round((Date.now() - moment) / 1000));
    if (seconds < 60) return say(`${words} seconds`, { ...places, time: seconds });
    if (seconds < 3600) return say(`${words} minutes`, { ...places, time: Math.floor(seconds / 60) });
    return say(`${words} at`, { ...places, time: clock(moment) });
  }

  function wordsOf(live) {
    if (live.paused) return since("paused", live.updated, { why: say(live.paused) });
    if (live.problem) {
      const left = Math.max(1, Math.round((live.due - Date.now()) / 1000));
      const next = live.isBusy ? say("asking") : say("asking soon", { seconds: left });
      return say("late", { problem: live.problem, time: clock(live.updated), next });
    }
    return since("updated", live.updated, { every: live.seconds });
  }

  function tell(live) {
    const place = live.part.querySelector("[data-live-words]");
    if (place === null) return;
    const words = wordsOf(live);
    if (place.textContent !== words) place.textContent = words;
    place.parentElement.classList.toggle("late", Boolean(live.problem));
    const link = live.part.querySelector("a[data-refresh]");
    if (link) link.textContent = say("refresh");
  }

  function beat() {
    for (const live of lives.values()) {
      live.paused = whyPaused(live.part);
      if (!live.paused && !live.isBusy && Date.now() >= live.due) refresh(live);
      else tell(live);
    }
  }

  function find() {
    for (const id of [...lives.keys()]) {
      const part = document.getElementById(id);
      if (part === null || part !== lives.get(id).part || !part.dataset.live) lives.delete(id);
    }
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const seconds = Number(part.dataset.live);
      const now = Date.now();
      const fresh = { part, seconds, updated: now, due: now + 1000 * seconds, failures: 0, turn: 0, problem: "", paused: "", isBusy: false };
      if (!lives.has(part.id)) lives.set(part.id, fresh);
    }
  }

  // --- followed in place -----------------------------------------------------------------------

  const liveAround = (element) => {
    const part = element.closest("[data-live][id]");
    return part && lives.get(part.id);
  };

  async function follow(live, url, isTyping) {
    if (isTyping) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    shown = location.pathname + location.search;
    const status = await refresh(live, { isAsked: true });
    if (status >= 400 && status < 500) location.assign(url);  // its own page says why
  }

  async function goBack() {
    // The field in use is left as it is, and the next filter would send what it says.
    if (document.activeElement?.closest("form[data-filters]")) document.activeElement.blur();
    shown = location.pathname + location.search;
    const answers = [...lives.values()].map((live) => refresh(live, { isAsked: true }));
    if ((await Promise.all(answers)).some((status) => status >= 400 && status < 500)) location.reload();
  }

  function clicked(event) {
    const link = event.target.closest("a[data-here], a[data-refresh]");
    const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    const live = link && isPlain && liveAround(link);
    if (!live || new URL(link.href).pathname !== location.pathname) return;
    event.preventDefault();
    if (link.matches("[data-refresh]")) refresh(live, { isUrgent: true });
    else follow(live, link.href, false);
  }

  function filtered(form, isTyping) {
    const live = liveAround(form);
    if (!live) return false;
    const chosen = [...new FormData(form)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(chosen).toString();
    follow(live, query ? `${form.action}?${query}` : form.action, isTyping);
    return true;
  }

  document.addEventListener("DOMContentLoaded", () => {
    find();
    if (lives.size === 0) return;
    let typing = 0;
    setInterval(beat, 1000);
    beat();
    document.addEventListener("click", clicked);
    document.addEventListener("submit", (event) => {
      if (event.target.matches("form[data-filters]") && filtered(event.target, false)) event.preventDefault();
    });
    document.addEventListener("input", (event) => {
      const form = event.target.closest("form[data-filters]");
      if (!form || !event.target.matches("input:not([type=checkbox])")) return;
      clearTimeout(typing);
      typing = setTimeout(() => filtered(form, true), TYPING_MS);
    });
    document.addEventListener("change", (event) => {
      const form = event.target.closest("form[data-filters]");
      if (form && event.target.matches("select, input[type=checkbox]")) filtered(form, false);
    });
    window.addEventListener("popstate", () => {  // which also comes with a link within the page
      if (location.pathname + location.search !== shown) goBack();
    });
    document.addEventListener("pointerdown", (event) => { pressed = event.target; });
    for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { pressed = null; });
    document.addEventListener("pointermove", (event) => { if (event.buttons === 0) pressed = null; });
    for (const left of ["selectionchange", "visibilitychange"]) document.addEventListener(left, beat);
  });
})();
