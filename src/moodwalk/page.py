"""One self-contained HTML page: text, tables and figures that work without a network."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from moodwalk.errors import ConfigError
from moodwalk.io.atomic import check_writable, write_whole_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Drawing", "Section", "Table", "write_page"]


@runtime_checkable
class Drawing(Protocol):
    """A figure that needs no plotly, such as `moodwalk.viz.Wall`."""

    @property
    def title(self) -> str:
        """Plain text."""
        ...

    @property
    def caption(self) -> str:
        """Plain text; what stands between backticks is set as code."""
        ...

    def render(self, alt: str = "") -> str:
        """Return HTML with all that it needs, without title and caption; `alt` as in `Section`."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page.

    Parameters
    ----------
    columns
        Heads of the columns.
    rows
        Cells, as many in every row as there are columns; the first names the row. What stands
        between backticks is set as code; columns of numbers are aligned to the right.
    caption
        What the table shows, with n and protocol.

    Raises
    ------
    ConfigError
        If a row has another number of cells.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ConfigError(
                    f"the table row {list(row)} has {len(row)} cells; "
                    f"expected {len(self.columns)}: {', '.join(self.columns)}."
                )


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page.

    Parameters
    ----------
    heading
        Plain text.
    paragraphs
        Plain text; what stands between backticks is set as code.
    figure
        A figure of `moodwalk.viz` (any Plotly figure will do) or a `Wall`. Its title and caption
        are set in the page's type, below the figure.
    table
        A table.
    alt
        What a reader who cannot see the figure should know; by default what the figure itself
        says.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    figure: "go.Figure | Drawing | None" = None
    table: Table | None = None
    alt: str = ""


def write_page(
    path: str | Path,
    title: str,
    sections: Sequence[Section],
    *,
    lead: str = "",
    facts: Sequence[tuple[str, str]] = (),
    footer: str = "",
    language: str = "en",
) -> None:
    """Write one HTML page that needs no other file and no network.

    plotly.js is embedded once, if there is a Plotly figure; the page forbids the browser to fetch
    anything. Moving figures get a keyboard-operable player that keeps real time. Light and dark
    follow the reader's system.

    Parameters
    ----------
    path
        The file to write, whole or not at all.
    title
        Plain text.
    sections
        In order.
    lead
        A paragraph under the title.
    facts
        (number, what it is) pairs, set large under the lead.
    footer
        Plain text.
    language
        BCP 47 tag of the text.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    check_writable(path)
    plots = any(
        section.figure is not None and not isinstance(section.figure, Drawing)
        for section in sections
    )
    body = "\n".join(_render_section(i, section) for i, section in enumerate(sections, start=1))
    contents = "".join(
        f'<li><a href="#section-{i}">{_text(section.heading)}</a></li>'
        for i, section in enumerate(sections, start=1)
    )
    numbers = "".join(
        f"<div><dt>{_text(what)}</dt><dd>{_text(value)}</dd></div>" for value, what in facts
    )
    parts = [
        "<!doctype html>",
        f'<html lang="{html.escape(language)}">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<link rel="icon" href="data:,">',
        f"<title>{_text(title)}</title>",
        f"<style>{_CSS}</style>",
        "</head>",
        "<body>",
        '<a class="skip" href="#main">Skip to the content</a>',
        "<header>",
        f"<h1>{_text(title)}</h1>",
        f'<p class="lead">{_prose(lead)}</p>' if lead else "",
        f'<dl class="facts">{numbers}</dl>' if facts else "",
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>' if len(sections) > 2 else "",
        "</header>",
        f'<main id="main">\n{body}\n</main>',
        f"<footer><p>{_prose(footer)}</p></footer>" if footer else "",
        "<noscript><p>The figures need JavaScript; their captions and tables do not.</p></noscript>"
        if plots
        else "",
        *(_render_scripts() if plots else ()),
        "</body>",
        "</html>",
        "",
    ]
    write_whole_text(path, "\n".join(part for part in parts if part) + "\n")


def _text(text: str | float | int) -> str:
    return html.escape(str(text))


def _prose(text: str | float | int) -> str:
    """Escape text and set what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _render_section(number: int, section: Section) -> str:
    parts = [
        f'<section aria-labelledby="section-{number}">',
        f'<h2 id="section-{number}">{_text(section.heading)}</h2>',
        *(f"<p>{_prose(paragraph)}</p>" for paragraph in section.paragraphs),
    ]
    if isinstance(section.figure, Drawing):
        said = _render_caption(section.figure.title, section.figure.caption)
        parts.append(f"<figure>\n{section.figure.render(section.alt)}\n{said}</figure>")
    elif section.figure is not None:
        parts.append(_render_plot(number, section, section.figure))
    if section.table is not None:
        parts.append(_render_table(section.table))
    return "\n".join([*parts, "</section>"])


def _render_table(table: Table) -> str:
    numeric = [
        bool(table.rows) and all(_is_number(row[i]) for row in table.rows)
        for i in range(len(table.columns))
    ]
    right = [' class="number"' if flag else "" for flag in numeric]
    heads = "".join(
        f'<th scope="col"{right[i]}>{_text(column)}</th>' for i, column in enumerate(table.columns)
    )
    lines: list[str] = []
    for row in table.rows:
        cells = "".join(f"<td{right[i]}>{_prose(row[i])}</td>" for i in range(1, len(row)))
        lines.append(f'<tr><th scope="row"{right[0]}>{_prose(row[0])}</th>{cells}</tr>')
    caption = f"<caption>{_prose(table.caption)}</caption>" if table.caption else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{_text(table.caption or "Table")}">'
        f"<table>{caption}<thead><tr>{heads}</tr></thead>\n<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _is_number(cell: str | float | int) -> bool:
    return not isinstance(cell, str) or re.match(r"[-+−]?\d+([.,]\d+)?\s?(%|$)", cell) is not None


def _render_plot(number: int, section: Section, plot: "go.Figure") -> str:
    figure: dict[str, Any] = json.loads(plot.to_json() or "{}")
    layout: dict[str, Any] = figure["layout"]
    meta: dict[str, Any] = layout["meta"] if isinstance(layout.get("meta"), dict) else {}
    moving = bool(figure.get("frames")) and "fps" in meta
    _hand_over_to_page(layout, meta, moving)
    title = str(meta.get("title", ""))
    alt = section.alt or str(meta.get("alt", "")) or title or section.heading
    layout["meta"] = {key: meta[key] for key in ("wide", "narrow", "fps") if key in meta}
    data = json.dumps(figure, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    parts = [
        "<figure>",
        # a moving figure is operated, so it must not hide its parts from assistive technology
        f'<div class="plot" id="plot-{number}" role="{"group" if moving else "img"}" '
        f'aria-label="{_text(alt)}" style="min-height:{layout.get("height", 400)}px"></div>',
        _render_player(number, len(figure["frames"])) if moving else "",
        _render_caption(title, str(meta.get("caption", ""))),
        f'<script type="application/json" id="plot-{number}-data">{data}</script>',
        "</figure>",
    ]
    return "\n".join(part for part in parts if part)


def _render_caption(title: str, caption: str) -> str:
    strong = f"<strong>{_text(title)}</strong>" if title else ""
    said = " ".join(part for part in (strong, _prose(caption)) if part)
    return f"<figcaption>{said}</figcaption>" if said else ""


def _hand_over_to_page(layout: dict[str, Any], meta: dict[str, Any], moving: bool) -> None:
    """Take out of a layout what the page sets itself, and the room that it took."""
    if "header_px" in meta:
        layout.pop("title", None)
        layout["margin"]["t"] -= meta["header_px"]
        layout["height"] -= meta["header_px"]
    if moving:
        layout.pop("updatemenus", None)
        layout.pop("sliders", None)
        layout["margin"]["b"] -= meta["controls_px"]
        for part in (layout, meta["wide"], meta["narrow"]):
            part["height"] -= meta["controls_px"]


def _render_player(number: int, n_frames: int) -> str:
    return (
        f'<div class="player" data-plot="plot-{number}" hidden>'
        '<button type="button" aria-pressed="false">Play</button>'
        f'<input type="range" min="0" max="{n_frames - 1}" value="0" aria-label="Moment of the walk">'
        "<output>0.00 s</output></div>"
    )


def _render_scripts() -> list[str]:
    from plotly.offline import get_plotlyjs

    return [f"<script>{get_plotlyjs()}</script>", f"<script>{_SCRIPT}</script>"]


# plotly.js builds code for its 3-D scenes at run time ('unsafe-eval'); nothing may be fetched.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)

_CSS = """
:root{color-scheme:light dark;--ink:#1d2129;--soft:#59616d;--line:#dfe2e7;--paper:#fff;
--panel:#f7f7fa;--accent:#5b3f8c}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaee;--soft:#a3abb8;--line:#343a45;
--paper:#14171c;--panel:#1b1f26;--accent:#bfa6e6}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:54rem;padding:3.5rem 1.25rem 4rem;background:var(--paper);
color:var(--ink);font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",
Arial,sans-serif;overflow-wrap:break-word}
h1{font-size:clamp(1.9rem,5vw,2.7rem);line-height:1.15;letter-spacing:-.02em;margin:0 0 .8rem;
text-wrap:balance}
h2{font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .7rem;scroll-margin-top:1rem}
p{margin:0 0 1rem;max-width:42rem}
.lead{font-size:1.2rem;color:var(--soft)}
a{color:var(--accent)}
code{font:.88em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--panel);
border:1px solid var(--line);border-radius:.3rem;padding:.08em .32em}
nav ol{display:flex;flex-wrap:wrap;gap:.25rem 1.4rem;margin:1.6rem 0 0;padding:0;list-style:none;
font-size:.95rem}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:1rem 1.6rem;
margin:1.8rem 0 0}
.facts div{display:flex;flex-direction:column-reverse;justify-content:flex-end;
border-top:3px solid var(--accent);padding-top:.5rem}
.facts dd{margin:0;font-size:1.8rem;line-height:1.2;font-weight:650;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}
.facts dt{font-size:.9rem;line-height:1.4;color:var(--soft)}
section{margin-top:3.4rem;padding-top:2.2rem;border-top:1px solid var(--line)}
figure{margin:1.5rem 0 0;padding:1rem 1rem .9rem;background:var(--panel);
border:1px solid var(--line);border-radius:.8rem}
.plot{width:100%}
figcaption{margin-top:.7rem;font-size:.93rem;line-height:1.5;color:var(--soft);max-width:44rem}
figcaption strong{display:block;color:var(--ink)}
.player{display:flex;align-items:center;gap:.8rem;margin:.3rem 0 0}
.player[hidden]{display:none}
.player input{flex:1;min-width:0;accent-color:var(--accent)}
.player output{font-size:.9rem;color:var(--soft);font-variant-numeric:tabular-nums;min-width:3.6rem;
text-align:right}
button{font:inherit;font-size:.95rem;min-width:5.2rem;min-height:2.5rem;padding:.3rem 1rem;
color:var(--paper);background:var(--accent);border:0;border-radius:.5rem;cursor:pointer}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.scroll{overflow-x:auto;margin-top:1.5rem}
table{border-collapse:collapse;width:100%;font-size:.95rem;font-variant-numeric:tabular-nums}
caption{caption-side:bottom;text-align:left;padding-top:.7rem;font-size:.93rem;color:var(--soft)}
th,td{text-align:left;padding:.5rem .9rem .5rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
thead th{font-weight:600;color:var(--soft);border-bottom-width:2px}
tbody th{font-weight:600}
th.number,td.number{text-align:right}
footer{margin-top:3.4rem;padding-top:1.2rem;border-top:1px solid var(--line);font-size:.93rem;
color:var(--soft)}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:1rem}
@media (max-width:640px){body{padding:2rem 1rem 3rem}figure{margin-inline:-.4rem;padding:.7rem}
section{margin-top:2.4rem;padding-top:1.6rem}}
@media print{figure{break-inside:avoid;background:none}.player,nav{display:none}}
"""

_SCRIPT = """
"use strict";
(() => {
  const narrow = matchMedia("(max-width: 640px)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const style = (box) => {
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    const meta = box.spec.layout.meta || {};
    return {"font.color": ink, ...(narrow.matches ? {...meta.wide, ...meta.narrow} : meta.wide)};
  };
  const config = {responsive: true, displayModeBar: false, displaylogo: false,
                  showSendToCloud: false, scrollZoom: false};
  const draw = async (box) => {
    box.spec = JSON.parse(document.getElementById(box.id + "-data").textContent);
    const {data, layout, frames} = box.spec;
    box.style.minHeight = "";
    await Plotly.newPlot(box, data, layout, config);
    await Plotly.relayout(box, style(box));
    const player = document.querySelector(`.player[data-plot="${box.id}"]`);
    if (frames && frames.length && player) {
      await Plotly.addFrames(box, frames);
      attach(box, player, frames.length, layout.meta.fps);
    }
  };
  const attach = (box, player, count, fps) => {
    const [button, slider, clock] = player.children;
    let playing = false, busy = false, started = 0, shown = 0, touched = false;
    const show = (k) => {
      shown = k;
      slider.value = k;
      clock.textContent = (k / fps).toFixed(2) + " s";
      busy = true;
      return Plotly.animate(box, [String(k)], {mode: "immediate", transition: {duration: 0},
        frame: {duration: 0, redraw: true}}).catch(() => {}).then(() => { busy = false; });
    };
    // real time: where drawing is slow, frames are left out, and the walk keeps its pace
    const tick = (now) => {
      if (!playing) return;
      const k = Math.floor((now - started) * fps / 1000) % count;
      if (!busy && k >= 0 && k !== shown) show(k);
      requestAnimationFrame(tick);
    };
    const play = (on) => {
      if (on === playing) return;
      playing = on;
      button.textContent = on ? "Pause" : "Play";
      button.setAttribute("aria-pressed", String(on));
      if (on) {
        started = performance.now() - shown * 1000 / fps;
        requestAnimationFrame(tick);
      }
    };
    button.addEventListener("click", () => { touched = true; play(!playing); });
    slider.addEventListener("input", () => { touched = true; play(false); show(+slider.value); });
    new IntersectionObserver(([seen]) => {
      if (!seen.isIntersecting) play(false);
      else if (!touched && !calm.matches) play(true);
    }, {threshold: 0.4}).observe(box);
    player.hidden = false;
  };
  const boxes = [...document.querySelectorAll(".plot")];
  const restyle = () => boxes.forEach((box) => box.spec && Plotly.relayout(box, style(box)));
  narrow.addEventListener("change", restyle);
  dark.addEventListener("change", restyle);
  boxes.reduce((before, box) => before.then(() => draw(box)), Promise.resolve());
})();
"""
