// The table: search, filters, sorting, pages.  Its columns are declared in table.py; here are their kinds.
const SIZE = 25;
let order = [], page = 0, sort = { key: DATA.columns.find((c) => c.default_sort).key, down: true }, opened = -1;
const texts = [];

const alphabetical = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const KINDS = {
  question: { order: alphabetical, cell: (value, i) => el("td", {}, questionButton(i)) },
  verdict: { order: (a, b) => a - b, cell: (value, i) => el("td", { class: "verdict-cell" }, verdictOf(i) ? el("i", { class: "key v-" + verdictOf(i) }) : null, verdictOf(i) || "–") },
  score: { order: (a, b) => a - b, down: true, cell: (value) => el("td", { class: "num" }, el("span", { class: "scorebar", c: value < 0 ? null : colour(value / 100) }, score(value))) },
  outcome: { order: alphabetical, cell: (value) => el("td", {}, truth(value[0]), " → ", truth(value[1])) },
  text: { order: alphabetical, cell: (value) => el("td", {}, said(String(value))) },
};
const kindOf = (key) => KINDS[DATA.columns.find((c) => c.key === key).kind];

function questionButton(i) {
  const detail = trail(i) !== undefined;
  return el("button", { type: "button", class: "open", "aria-expanded": detail ? String(i === opened) : null,
    disabled: !detail, on: { click: () => toggle(i) } }, said(P.question[i]));
}
const rowOf = (i) => el("tr", { class: "row", id: "row-" + i }, DATA.columns.map((c) => KINDS[c.kind].cell(P[c.key][i], i)));

function searchable(i) {
  if (texts[i] === undefined) {
    const row = trail(i), parts = [P.question[i]];
    if (row) {
      parts.push(row.passage || "", row.method || "");
      for (const e of row.evidence || []) parts.push(e.title, e.source, ...e.parts);
      for (const r of row.references || []) parts.push(r.text);
      for (const c of row.checks || []) parts.push(c.asked, c.answer);
    }
    texts[i] = parts.join("\n").toLocaleLowerCase();
  }
  return texts[i];
}

const FILTERS = { gap: (i) => P.gap[i] === 1, inconsistent: (i) => P.inconsistent[i] === 1 };
function filter() {
  const words = $("search").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const verdict = $("verdict").value, outcome = $("outcome").value, round = $("round") ? $("round").value : "";
  order = [];
  for (let i = 0; i < N; i++) {
    if (verdict && !(FILTERS[verdict] ? FILTERS[verdict](i) : verdictOf(i) === verdict)) continue;
    if (outcome && outcomeOf(i) !== outcome) continue;
    if (round && String(P.round[i]) !== round) continue;
    if (words.length && !words.every((word) => searchable(i).includes(word))) continue;
    order.push(i);
  }
  const compare = kindOf(sort.key).order, values = P[sort.key], sign = sort.down ? -1 : 1;
  order.sort((a, b) => sign * compare(values[a], values[b]) || a - b);
  page = 0;
  render();
}

function render() {
  const pages = Math.max(1, Math.ceil(order.length / SIZE));
  page = Math.min(Math.max(0, page), pages - 1);
  const rows = [];
  for (const i of order.slice(page * SIZE, (page + 1) * SIZE)) {
    rows.push(rowOf(i));
    if (i === opened && trail(i)) rows.push(el("tr", { class: "trail" }, el("td", { colspan: DATA.columns.length }, steps(i))));
  }
  document.querySelector("#table tbody").replaceChildren(...rows);
  $("count").textContent = order.length === N ? `${N.toLocaleString("en")} questions` :
    order.length ? `${order.length.toLocaleString("en")} of ${N.toLocaleString("en")} questions` : "No question fits: loosen the search or the filters.";
  $("page").textContent = `Page ${page + 1} of ${pages.toLocaleString("en")}`;
  $("prev").disabled = page === 0;
  $("next").disabled = page >= pages - 1;
  for (const head of document.querySelectorAll("#table th"))
    head.setAttribute("aria-sort", head.dataset.key === sort.key ? (sort.down ? "descending" : "ascending") : "none");
}

function toggle(i) {
  opened = opened === i ? -1 : i;
  render();
  const row = $("row-" + i);
  if (row) row.querySelector("button").focus({ preventScroll: true });
}

function openRow(i) {
  if (!order.includes(i)) { $("filters").reset(); filter(); }
  page = Math.floor(order.indexOf(i) / SIZE);
  opened = i;
  render();
  $("row-" + i).scrollIntoView({ block: "start" });
  $("row-" + i).querySelector("button").focus({ preventScroll: true });
}

function startTable() {
  if (!$("table")) return;
  let timer = 0;
  $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, N > 5000 ? 200 : 60); });
  for (const id of ["verdict", "outcome", "round"]) if ($(id)) $(id).addEventListener("change", filter);
  $("filters").addEventListener("submit", (e) => { e.preventDefault(); filter(); });
  $("prev").addEventListener("click", () => { page--; render(); });
  $("next").addEventListener("click", () => { page++; render(); });
  for (const head of document.querySelectorAll("#table th"))
    head.querySelector("button").addEventListener("click", () => {
      const key = head.dataset.key;
      sort = sort.key === key ? { key, down: !sort.down } : { key, down: Boolean(kindOf(key).down) };
      filter();
    });
  filter();
}
