"""The page around a report: one HTML file that needs no network, in the reader's own colours, light or dark.

The browser itself guards the promise: the content security policy of the page forbids every request.
"""

from __future__ import annotations

from html import escape

POLICY = (
    "default-src 'none'; form-action 'none'; base-uri 'none'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --quiet: #57606a; --rule: #d0d7de; --tint: #f6f8fa;
  --good: #0a6b3d; --bad: #a4262c; --warn-paper: #fff4ce; --warn-ink: #5c3b00; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e6e9ed; --quiet: #9aa4b0; --rule: #353b44;
  --tint: #1c2128; --good: #5fd39a; --bad: #ff8f8a; --warn-paper: #3d2f00; --warn-ink: #ffe08a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 1.75rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
dl.lead { font-size: 1.05rem; gap: .5rem 1.25rem; margin: 1rem 0; } dl.lead dt { color: inherit; font-weight: 600; }
dl.lead dd { max-width: 44rem; }
.banner { background: var(--warn-paper); color: var(--warn-ink); border-left: .35rem solid; padding: .7rem 1rem;
  margin: 0 0 1.5rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--rule); }
th { color: var(--quiet); font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: .75rem 0; font-size: .92rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1.25rem 0; } figcaption { color: var(--quiet); font-size: .9rem; max-width: 46rem; }
.plot { width: 100%; min-height: 5rem; }
footer { margin-top: 3rem; color: var(--quiet); font-size: .85rem; }
@media print { h2, figure { break-inside: avoid; } main { max-width: none; } }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
"""

#: Draws each figure in the colours of the page and again when the reader changes between light and dark.
SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function coloured(figure) {
  const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(name).trim();
  const shade = dark.matches ? 1 : 0;
  const layout = structuredClone(figure.layout);
  const axis = { gridcolor: colour("--rule"), linecolor: colour("--rule"), zerolinecolor: colour("--quiet") };
  for (const name of Object.keys(layout).filter(n => /^[xy]axis/.test(n))) Object.assign(layout[name], axis);
  Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--ink"), family: "system-ui, sans-serif", size: 13 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--quiet"), activecolor: colour("--ink") },
    hoverlabel: { bgcolor: colour("--tint"), font: { color: colour("--ink") } } });
  for (const shape of layout.shapes || []) shape.line.color = colour("--quiet");
  const data = figure.data.map(trace => JSON.parse(JSON.stringify(trace), (key, value) =>
    Array.isArray(value) && key.endsWith("color") ? value[shade] : value));
  return [data, layout];
}
function draw() {
  // plotly offers to upload a chart to its maker's cloud unless it is told not to.
  const options = { displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "",
    modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  figures.forEach((figure, index) => Plotly.react("plot-" + index, ...coloured(figure), options));
}
draw();
dark.addEventListener("change", draw);
"""


def page(title: str, body: str, *, figures: str, library: str) -> str:
    """The whole file.

    Args:
        title: plain text.
        body: HTML, already escaped.
        figures: JSON list of figures, safe inside a script element.
        library: the source of plotly.js, empty when there is no figure.
    """
    drawing = f"<script>{library}</script>\n<script>{SCRIPT}</script>" if library else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
<script type="application/json" id="figures">{figures}</script>
{drawing}
</body>
</html>
"""
