// One question, followed from the first answer to the last.
const step = (title, note, ...content) => el("li", {}, el("h4", {}, title, note ? el("span", {}, " " + note) : null), ...content);
const list = (items) => el("ul", {}, items.map((item) => el("li", {}, item)));
const number = (value) => (value === null || value === undefined ? "not measured" : value.toFixed(2));
function steps(i) {
  const row = trail(i);
  return el("ol", { class: "steps" }, asked(i, row), firstAnswer(i, row), evidence(row), verdict(i, row), teaching(row), adapters(row), again(row), later(row));
}
function asked(i, row) {
  return step("Asked", [row.topic && "topic " + row.topic, row.method && "method " + row.method, DATA.rounds > 1 && "round " + P.round[i], "id " + P.id[i]].filter(Boolean).join(" · "),
    el("p", {}, said(row.question || P.question[i])));
}
function firstAnswer(i, row) {
  if (row.passage === undefined) return step("First answer", "none: the question failed or was not reached", null);
  const scores = row.scores || [], others = scores.filter((s) => !s.decides);
  const own = scores.find((s) => s.decides) || { sentences: [], clusters: [], parts: {} };
  const passage = own.sentences.length
    ? own.sentences.flatMap((s) => [el("span", { class: "said text", dir: "auto", c: colour(s.value), title: "inconsistency " + s.value.toFixed(2) }, s.text), " "])
    : [said(row.passage)];
  const judged = own.sentences.some((s) => s.each.length), clustered = own.clusters.length > 0;
  const samples = row.samples.map((text, k) => el("div", { class: "sample" }, judged ? contradiction(own.sentences.map((s) => s.each[k])) : clustered ? cluster(own.clusters[k]) : null, said(text)));
  const what = judged ? ", with how much each contradicts the answer" : clustered ? ", and the cluster of those that mean the same" : "";
  return step("First answer", "hallucination score " + score(P.found[i]) + (own.scorer ? " by " + own.scorer : ""), el("p", {}, passage), own.error ? el("p", { class: "wrong" }, "not scored: ", said(own.error)) : null,
    parts(own), own.sentences.length > 1 ? sentences(own) : null,
    samples.length ? el("details", { open: true }, el("summary", {}, `${samples.length} samples${what}`), samples) : null,
    others.length ? el("details", {}, el("summary", {}, "Other scorers: " + others.map((s) => s.scorer + " " + two(s.value)).join(", ")), list(others.map(basis))) : null);
}
// What a score rests on, as far as its scorer has it: parts, clusters, sentences.
const two = (value) => (typeof value === "number" ? value.toFixed(2) : "–");
const parts = (s) => Object.keys(s.parts).length ? el("p", { class: "note" }, Object.entries(s.parts).map(([name, value]) => `${name}: ${two(value)}`).join(" · ")) : null;
const sentences = (s) => list(s.sentences.map((one) => [two(one.value) + " ", said(one.text), one.each.length ? el("span", { class: "note" }, " by sample: " + one.each.map(two).join(", ")) : null]));
const cluster = (number) => el("i", { class: "cluster" }, typeof number === "number" ? "cluster " + number : "–");
function contradiction(each) {
  const values = each.filter((v) => typeof v === "number");
  const mean = values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
  return el("i", { c: mean === null ? null : colour(mean) }, two(mean));
}
const basis = (s) => [el("b", {}, s.scorer), s.error ? el("span", { class: "wrong" }, " not scored: ", said(s.error)) : " " + two(s.value), parts(s),
  s.clusters.length ? el("p", { class: "note" }, "cluster of each sample: " + s.clusters.map((number) => number ?? "–").join(", ")) : null, s.sentences.length ? sentences(s) : null];
function evidence(row) {
  const found = [...(row.evidence || [])].sort((a, b) => a.rank - b.rank);
  if (!found.length) return step("Evidence", "none found or not searched for", null);
  return step("Evidence", `${found.length} passage${found.length > 1 ? "s" : ""}`, found.map((e, k) => {
    const quote = el("blockquote", { dir: "auto" }, e.parts[0], e.parts[1] ? el("mark", {}, e.parts[1]) : null, e.parts[2]);
    const source = el("p", { class: "source" }, said((e.title ? e.title + " · " : "") + e.source), `${e.date ? " · " + e.date : ""} · characters ${e.at[0]} to ${e.at[1]}`);
    return k === 0 ? el("div", {}, source, quote) : el("details", {}, el("summary", {}, `${k + 1}. `, said(e.title || e.source)), source, quote);
  }));
}
function verdict(i, row) {
  const references = (row.references || []).map((r) => el("p", {}, el("b", {}, r.accepted ? "Reference: " : "Rejected reference: "), said(r.text || r.error || "no answer found"),
    el("span", { class: "note" }, ` (inconsistency ${number(r.inconsistency)}${basisOf(r)}${r.error && r.text ? "; " + r.error : ""})`)));
  const kind = verdictOf(i);
  if (!kind && !references.length) return step("Reference and verdict", "not reached", null);
  const agreement = row.agrees === true ? "The first answer agrees with the reference." : row.agrees === false ? "The first answer disagrees with the reference." : "";
  return step("Reference and verdict", "", references, disagreement(row), kind ? el("p", {}, el("i", { class: "key v-" + kind }), el("b", {}, kind), ". ", agreement,
    row.contradiction !== null && row.contradiction !== undefined ? ` Contradiction ${number(row.contradiction)}.` : "",
    row.label === "partly" ? " The judge calls it partly right." : "", row.reason && !row.conflict ? el("span", { class: "note" }, " ", said(row.reason)) : null) : null);
}
const basisOf = (r) => r.by_teacher ? "; of the stronger model, without evidence" : r.sources === 1 ? "; one source only" : r.sources > 1 ? `; ${r.sources} independent sources` : "";
// Sources that disagree: what each says, and who was believed.
function disagreement(row) {
  const c = row.conflict;
  if (!c) return null;
  const names = (s) => c.decided === "unresolved" ? "open: " : s.believed ? "believed: " : "not believed: ";
  return el("details", { open: true }, el("summary", {}, "Sources disagree: " + c.decided), el("p", { class: "note" }, said(c.reason)),
    list(c.sayings.map((s) => [el("b", {}, names(s)), said(s.answer), el("blockquote", { dir: "auto" }, s.quote), el("p", { class: "source" }, said(s.source), ` · ${s.date || "no date"}`)])));
}
function teaching(row) {
  const examples = row.examples || [], pairs = row.pairs || [], wordings = row.wordings || [];
  if (!examples.length && !pairs.length && !wordings.length) return step("Taught with", "nothing", null);
  const NAMES = { reference: "answer", reading: "answer, evidence in the prompt", replay: "replay of a known question" };
  return step("Taught with", "",
    examples.length ? list(examples.map((x) => [el("span", { class: "note" }, (NAMES[x.kind] || x.kind) + ": "), said(x.prompt), " → ", said(x.completion), when(x)])) : null,
    pairs.length ? list(pairs.map((x) => [el("span", { class: "note" }, `pair, weight ${x.weight}, rejected from ${x.origin}: `), "chosen ", said(x.chosen, "right-text"), " over ", said(x.rejected), when(x)])) : null,
    wordings.some((w) => w.use === "heldout") ? [el("p", { class: "note" }, "Held out for the test:"), list(wordings.filter((w) => w.use === "heldout").map((w) => said(w.text)))] : null);
}
const when = (lesson) => lesson.steps ? el("span", { class: "note" }, " " + lesson.steps) : null;
function adapters(row) {
  if (!row.adapters) return null;
  return step("Adapter", "", list(row.adapters.map((a) => [el("code", {}, a.name), el("span", { class: "note" }, (a.replayed ? " to keep it: " : " ") + a.told)])));
}
// The same question, when a later round asked it again.
function later(row) {
  if (!row.later) return null;
  return step("In later rounds", "", list(row.later.map((one) => [el("b", {}, `round ${one.round}: `), said(one.answer), el("span", { class: "note" }, " " + (one.verdict || "no verdict"))])));
}
// What a decision rests on: what the answer was compared with, and the measures beside it.
const measures = (c) => el("span", { class: "note" }, [` by ${c.judged_by}`, ...Object.entries(c.parts).map(([name, value]) => `${name} ${two(value)}`)].join(" · "));
function again(row) {
  const groups = new Map();
  for (const c of row.checks || []) {
    const key = c.target + "\n" + c.wording + "\n" + c.asked;
    if (!groups.has(key)) groups.set(key, { check: c, arms: {} });
    groups.get(key).arms[c.arm] = c;
  }
  if (!groups.size) return step("Asked again", "not in this run", null);
  const arms = ["original", "base", "taught", "weaker", "control"].filter((arm) => (row.checks || []).some((c) => c.arm === arm));
  const NAMES = { original: "before round 1", base: "before", taught: "after", weaker: "after, at smaller strength", control: "control" };
  const cell = (c, arm) => el("td", { "data-label": NAMES[arm] }, c ? [truth(c.correct === null ? "" : c.correct ? "1" : "0"), " ", said(c.error || c.answer), c.score !== null ? el("span", { class: "note" }, " score " + c.score.toFixed(2)) : null, measures(c)] : "–");
  const body = [...groups.values()].map(({ check, arms: got }) => el("tr", {}, 
    el("td", { "data-label": "wording" }, check.target === "reading" ? "with the page" : check.wording), el("td", { "data-label": "asked" }, said(check.asked)), arms.map((arm) => cell(got[arm], arm))));
  const expected = [...new Set((row.checks || []).map((c) => c.expected))].slice(0, 3);
  return step("Asked again", "", el("p", {}, "Right is: ", expected.flatMap((text, k) => [k ? "; " : "", said(text)])),
    el("table", { class: "asked" }, el("thead", {}, el("tr", {}, ["Wording", "Asked", ...arms.map((arm) => NAMES[arm])].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, body)));
}
