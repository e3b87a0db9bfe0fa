// Times in the reader's own zone, or in UTC where the reader prefers it. Without scripts they stay
// as they are served: in UTC. Both are told: the other one when the time is pointed at.
"use strict";

(() => {
  const KEPT = "courier.times";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const moment = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const named = { ...moment, timeZoneName: "short" };
  const own = new Intl.DateTimeFormat(language, { ...named, year: "numeric", second: "2-digit" });
  // The charts' hours, which have little room; where one stands alone it names its zone.
  const hours = { hour: new Intl.DateTimeFormat(language, moment), zoned: new Intl.DateTimeFormat(language, named) };
  const button = document.getElementById("zone");
  let inUtc = zone === "UTC";
  try { inUtc ||= localStorage.getItem(KEPT) === "utc"; } catch { /* where nothing may be kept */ }

  function tell(time) {
    const told = `${time.dateTime} ${inUtc}`;
    if (time.dataset.told === told) return;
    if (!time.dataset.utc) time.dataset.utc = time.textContent;
    const here = (hours[time.dataset.form] ?? own).format(new Date(time.dateTime));
    time.dataset.told = told;
    time.textContent = inUtc ? time.dataset.utc : here;
    time.title = inUtc ? here : time.dataset.utc;
  }

  // What a chart's bar says when it is pointed at: `23 Nov 14:00: 5 delivered`.
  function tellBar(bar) {
    const told = `${inUtc}`;
    if (bar.dataset.told === told) return;
    const utc = bar.dataset.utc ??= bar.textContent;
    bar.dataset.told = told;
    bar.textContent = inUtc ? utc : hours.hour.format(new Date(bar.dataset.at)) + utc.slice(utc.indexOf(": "));
  }

  function tellAll() {
    for (const time of document.querySelectorAll("time[datetime]")) tell(time);
    for (const bar of document.querySelectorAll("title[data-at]")) tellBar(bar);
  }

  function showChoice() {
    button.hidden = zone === "UTC";
    button.textContent = say(inUtc ? "times in utc" : "times in zone", { zone });
  }

  button.addEventListener("click", () => {
    inUtc = !inUtc;
    try { localStorage.setItem(KEPT, inUtc ? "utc" : "own"); } catch { /* then only on this page */ }
    showChoice();
    tellAll();
  });
  // What refreshes itself brings new times, however it is put into the page.
  new MutationObserver(tellAll).observe(document.body, { childList: true, subtree: true });
  showChoice();
  tellAll();
})();
