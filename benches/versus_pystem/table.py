"""The report as markdown."""

from statistics import median


def time(seconds):
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms"


def spread(times, factor=1.0):
    """Median, with least and most in brackets where there are several."""
    text = time(factor * median(times))
    if len(times) < 3:
        return text
    return f"{text} ({time(factor * min(times))} to {time(factor * max(times))})"


def markdown(report):
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [
        f"{report['processor']}, {report['threads']} threads, {report['date']}; {versions}.",
        f"Medians of {report['repeats']} turns (least to most), one turn after the other:",
        f"`{report['command']}`.",
        "",
        "| case | compared with | its time | stemseg | ratio | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in report["rows"]:
        theirs, ours = spread(row["theirs_s"], row["factor"]), spread(row["ours_s"])
        ratio = row["factor"] * median(row["theirs_s"]) / median(row["ours_s"])
        lines.append(f"| {row['case']} | {row['other']} | {theirs} | {ours} | {ratio:.3g} | {row['note']} |")
    return "\n".join(lines)
