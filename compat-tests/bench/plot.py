"""Plots as SVG, by hand: bars in groups, and ratios with their intervals, both on a logarithmic axis."""
import math
from html import escape

COLOURS = ["#1b6ca8", "#c0392b", "#e08e0b", "#6c757d"]
LEFT, WIDTH, BAR, GAP, TOP = 90, 760, 14, 16, 60


def bars(title, unit, groups):
    """`groups`: name, and of each series its sorted values, of which the median is drawn and the range marked."""
    series = list(dict.fromkeys(name for _, some in groups for name in some))
    values = [value for _, some in groups for many in some.values() for value in many]
    scale = Scale(min(values), max(values))
    body, y = [], TOP
    for name, some in groups:
        body.append(text(LEFT - 8, y + BAR * len(some) / 2 + 4, name, "end"))
        for label in series:
            many = some.get(label)
            if not many:
                continue
            middle = many[len(many) // 2]
            x = scale.at(middle)
            body.append(f'<rect x="{LEFT}" y="{y}" width="{x - LEFT:.1f}" height="{BAR - 3}" fill="{COLOURS[series.index(label) % len(COLOURS)]}"/>')
            body.append(line(scale.at(many[0]), y + (BAR - 3) / 2, scale.at(many[-1]), y + (BAR - 3) / 2, "#222"))
            body.append(text(max(x, scale.at(many[-1])) + 5, y + BAR - 4, f"{middle:,.4g} {unit}", size=10))
            y += BAR
        y += GAP
    return page(title, scale, body, y, [(name, COLOURS[index % len(COLOURS)]) for index, name in enumerate(series)], unit)


def whiskers(title, rows):
    """`rows`: name, ratio, low, high, gate, goal."""
    values = [value for row in rows for value in row[1:] if value]
    scale = Scale(min(values), max(values))
    body, y = [], TOP
    for name, ratio, low, high, gate, goal in rows:
        middle = y + BAR / 2
        colour = COLOURS[1] if ratio < gate else COLOURS[0]
        body += [text(LEFT - 8, middle + 4, name, "end"), line(scale.at(low), middle, scale.at(high), middle, colour, 3)]
        body.append(f'<circle cx="{scale.at(ratio):.1f}" cy="{middle}" r="4" fill="{colour}"/>')
        for aim, shade in ((gate, "#222"), (goal, "#2e8b57")):
            if aim:
                body.append(line(scale.at(aim), y, scale.at(aim), y + BAR, shade, 2))
        body.append(text(scale.at(max(high, goal or 0)) + 7, middle + 4, f"{ratio:.2f}", size=10))
        y += BAR + 6
    return page(title, scale, body, y, [("median and 95 % interval", COLOURS[0]), ("below the gate", COLOURS[1]), ("gate", "#222"), ("goal", "#2e8b57")], "times")


class Scale:
    """Whole powers of ten around the values; finer where they are close together."""

    def __init__(self, low, high):
        self.low, self.high = math.floor(math.log10(low * 0.9)), math.ceil(math.log10(high * 1.1))

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - 90)

    def ticks(self):
        steps = (1, 2, 5) if self.high - self.low <= 3 else (1,)
        return [step * 10**power for power in range(self.low, self.high + 1) for step in steps if math.log10(step) + power <= self.high]


def page(title, scale, body, bottom, legend, unit):
    grid = []
    for tick in scale.ticks():
        grid += [line(scale.at(tick), TOP - 6, scale.at(tick), bottom, "#ddd"), text(scale.at(tick), bottom + 14, f"{tick:g}", "middle", 10)]
    x, key = LEFT, []
    for name, colour in legend:
        key += [f'<rect x="{x}" y="32" width="10" height="10" fill="{colour}"/>', text(x + 14, 41, name, size=11)]
        x += 30 + 7 * len(name)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 34}" font-family="sans-serif" role="img">'
    white = f'<rect width="{WIDTH}" height="{bottom + 34}" fill="#fff"/>'
    return "\n".join([head, white, text(LEFT, 20, title, size=15), *key, *grid, *body, text(WIDTH - 10, bottom + 28, unit, "end", 10), "</svg>"]) + "\n"


def line(x1, y1, x2, y2, colour, width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def text(x, y, content, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#222">{escape(str(content))}</text>'
