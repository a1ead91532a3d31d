// The interactive part of the report: the map and the table.  Everything shown is set as text, never as HTML.
// What all parts share: the data, and how an element is made.
const DATA = JSON.parse(document.getElementById("data").textContent);
const P = DATA.points, N = P.question.length;
const VERDICTS = DATA.verdicts;
const $ = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, action] of Object.entries(value)) node.addEventListener(event, action);
    else if (name === "c") node.style.setProperty("--c", value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}
const said = (text, className) => el("span", { class: "text " + (className || ""), dir: "auto" }, text);

// Points are columns; scores are whole percent, -1 where there is none.
const verdictOf = (i) => VERDICTS[P.verdict[i]] || "";
const score = (value) => (value < 0 ? "–" : (value / 100).toFixed(2));
const trail = (i) => DATA.trails[i];
const OUTCOMES = { "01": "learned", "00": "still", "11": "kept", "10": "forgot" };
const outcomeOf = (i) => OUTCOMES[P.outcome[i]] || "none";

function truth(code) {
  if (code === "1") return el("span", { class: "right" }, "✓ right");
  if (code === "0") return el("span", { class: "wrong" }, "✕ wrong");
  return el("span", { class: "none" }, "–");
}
