// The address of the page with all its filters in use; null where it has none. Run in the page itself.
() => {
  const form = document.querySelector("form.filters");
  if (!form) return null;
  const given = new URLSearchParams();
  for (const each of form.elements) {
    if (!each.name || each.type === "hidden") continue;
    if (each.tagName === "SELECT") given.set(each.name, each.options[each.options.length - 1].value);
    else if (each.type === "checkbox") given.set(each.name, each.value);
    else if (each.type === "date") given.set(each.name, "2026-11-28");
    else if (each.type === "datetime-local") given.set(each.name, "2026-11-28T16:00");
    else given.set(each.name, "W".repeat(each.maxLength < 0 ? 40 : Math.min(40, each.maxLength)));
  }
  return `${location.pathname}?${given}`;
}
