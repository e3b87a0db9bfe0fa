// What is wrong with how the page is laid out, as sentences. Run in the page itself.
() => {
  const found = [];
  const shown = (each) => {
    const box = each.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && getComputedStyle(each).visibility !== "hidden" && !each.closest(".hidden, .skip");
  };
  const called = (each) => `<${each.tagName.toLowerCase()}> "${each.textContent.trim().slice(0, 40)}"`;
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) {
    const beyond = [...document.body.querySelectorAll("*")].filter((each) => shown(each) && each.getBoundingClientRect().right > innerWidth + 1);
    found.push(`the page is ${wide} px wider than the screen: ${beyond.slice(0, 3).map(called).join(", ")}`);
  }
  for (const each of document.querySelectorAll("button, .button, .badge, input:not([type=hidden]), select, textarea")) {
    if (!shown(each)) continue;
    const box = each.getBoundingClientRect();
    if (box.right > innerWidth + 1 || box.left < -1) found.push(`${called(each)} is cut by the screen's edge`);
    else if (each.matches("button, .button, .badge") && each.scrollWidth > each.clientWidth + 2) found.push(`${called(each)} is too narrow for its words`);
  }
  for (const each of document.querySelectorAll("h1, h2, h3, p, li, td, th, dt, dd, label, code, summary, a")) {
    const text = each.textContent.trim().replace(/\s+/g, " ");
    if (text.length < 12 || !shown(each)) continue;
    const style = getComputedStyle(each);
    const size = parseFloat(style.fontSize);
    const range = document.createRange();
    range.selectNodeContents(each);
    const tops = new Set([...range.getClientRects()].map((rect) => Math.round(rect.top / size)));
    if (tops.size > 4 && text.length / tops.size < 5) found.push(`${called(each)} is broken into columns of a few letters`);
  }
  for (const each of document.querySelectorAll(".scroll")) {
    const cut = each.scrollWidth - each.clientWidth;
    if (shown(each) && cut > 1 && getComputedStyle(each).overflowX !== "visible") found.push(`the table #${each.id} "${each.getAttribute("aria-label")}" is ${cut} px wider than its place`);
  }
  return [...new Set(found)];
}
