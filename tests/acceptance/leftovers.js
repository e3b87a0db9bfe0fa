// Texts of the page that are English, for a reader of another language: pieces that hold one of English's
// small words, and those that are a text of the catalogue as it stands. Run in the page itself, with those.
(english) => {
  const SMALL = new Set("the and is are were of not with this that these those by your its has have had from for it be been there here what when while who which until than more most one no nothing nobody somebody each every any only too then them they".split(" "));
  const known = new Set(english);
  const isOthers = (element) => element.closest("code, q, pre, script, style, [lang=en], [lang=mul], [data-said]") !== null;
  const found = new Set();
  const look = (text, element) => {
    const whole = text.trim().replace(/\s+/g, " ");
    if (!whole || isOthers(element)) return;
    const words = whole.split(" ").map((word) => word.replace(/[.,:;!?()"„“]+/g, ""));
    if (known.has(whole) || words.some((word) => SMALL.has(word))) found.add(whole.slice(0, 160));
  };
  const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) look(walk.currentNode.nodeValue, walk.currentNode.parentElement);
  for (const element of document.querySelectorAll("*")) {
    for (const name of ["placeholder", "title", "aria-label", "alt", "data-confirm", "data-label", "label"]) {
      if (element.hasAttribute(name)) look(element.getAttribute(name), element);
    }
  }
  return [...found];
}
