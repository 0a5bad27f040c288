"""Figures of a sweep: Optuna's plots of a study rebuilt from the ledger, and learning curves. None of them ever raises for lack of trials.

Parameters are plotted by their place in the config (``optimizer.lr``), so that optimizers with ranges of their own share one axis.
"""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import optuna
import plotly.graph_objects as go
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from optuna.visualization import plot_optimization_history, plot_parallel_coordinate, plot_param_importances

from sweeper.config.distributions import Auto, Choice, Distribution, Int, Log, Uniform
from sweeper.config.space import Space
from sweeper.search.past import Record, finite_points
from sweeper.tracking.curves import BEST_COLOUR, COLOURS, Curve, best_value
from sweeper.trial import Metric, Outcome, Scalar

_FEWEST_FOR_IMPORTANCE = 4
_PLOTTED = {Outcome.COMPLETE: TrialState.COMPLETE, Outcome.PRUNED: TrialState.PRUNED}


def figures(space: Space, past: Sequence[Record]) -> dict[str, go.Figure]:
    """All figures of a sweep by name: history, importance, parallel_coordinates, learning_curves."""
    metric = space.base.search.metric
    study = plotted_study(space, past)
    return {
        "history": history(study, metric, past),
        "importance": importance(study, metric),
        "parallel_coordinates": parallel_coordinates(study, metric),
        "learning_curves": learning_curves(past, metric),
    }


def page(title: str, parts: Mapping[str, go.Figure]) -> str:
    """One HTML page with all figures that opens without a network: plotly.js (4.5 MB) is in it once."""
    bodies = [
        figure.to_html(full_html=False, include_plotlyjs=index == 0, div_id=name, default_height="520px")
        for index, (name, figure) in enumerate(parts.items())
    ]
    style = "body{font-family:sans-serif;max-width:1200px;margin:1em auto;padding:0 1em}"
    shown = html.escape(title)
    head = f'<meta charset="utf-8"><title>{shown}</title><style>{style}</style>'
    return "\n".join([f"<!DOCTYPE html><html><head>{head}</head><body><h1>{shown}</h1>", *bodies, "</body></html>"])


def sentence(title: str, text: str) -> go.Figure:
    """An empty figure that says why it is empty."""
    figure = go.Figure()
    figure.add_annotation(text=text, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font={"size": 15})
    return _dressed(figure, title).update_layout(xaxis={"visible": False}, yaxis={"visible": False})


def plotted_study(space: Space, past: Iterable[Record]) -> optuna.Study:
    """An Optuna study of the complete trials (value: the best epoch's) and the pruned ones, for plots only.

    Trials that are not plotted take their place as failed ones, so that trial i there is trial i of the sweep.
    """
    metric = space.base.search.metric
    distributions: dict[str, list[Distribution]] = {}
    for leaf in space.leaves:
        distributions.setdefault(leaf.path, []).append(leaf.distribution)
    past = list(past)
    paths = {leaf.name: leaf.path for leaf in space.leaves}
    drawn: dict[str, list[Scalar]] = {path: [] for path in distributions}
    for name, value in (item for record in past for item in record.trial.values.items()):
        drawn[paths[name]].append(value)
    with _quiet():
        study = optuna.create_study(study_name=space.name, direction=metric.direction.value)
        for record in sorted(past, key=lambda record: record.trial.number):
            curve = finite_points(record.reports, metric)
            if record.outcome not in _PLOTTED or not curve:
                study.add_trial(optuna.trial.create_trial(state=TrialState.FAIL))
                continue
            values = {leaf.path: record.trial.values[leaf.name] for leaf in space.leaves if leaf.name in record.trial.values}
            study.add_trial(
                optuna.trial.create_trial(
                    state=_PLOTTED[record.outcome],
                    value=best_value(curve, metric) if record.outcome is Outcome.COMPLETE else None,
                    params=values,
                    distributions={path: _merged(distributions[path], value, drawn[path]) for path, value in values.items()},
                    intermediate_values=curve,
                )
            )
    return study


def history(study: optuna.Study, metric: Metric, past: Iterable[Record] = ()) -> go.Figure:
    """Value of each complete trial and the best so far; pruned trials at the best value they reached."""
    title = f"History of {metric}"
    curves = {record.trial.number: finite_points(record.reports, metric) for record in past if record.outcome is Outcome.PRUNED}
    pruned = {number: best_value(curve, metric) for number, curve in sorted(curves.items()) if curve}
    if not _complete(study):
        return sentence(title, "No trial is complete yet.")
    with _quiet():
        figure = plot_optimization_history(study, target_name=metric.value)
    if pruned:
        figure.add_scatter(
            x=list(pruned), y=list(pruned.values()), mode="markers", name="pruned", marker={"color": COLOURS[Outcome.PRUNED], "symbol": "x"}
        )
    return _dressed(figure, title)


def importance(study: optuna.Study, metric: Metric) -> go.Figure:
    """How much each parameter matters among good trials (PED-ANOVA, Watanabe et al., 2023)."""
    title = f"Importance for {metric}"
    complete = _complete(study)
    if len(complete) < _FEWEST_FOR_IMPORTANCE:
        return sentence(title, f"{len(complete)} complete trials are too few to tell importance.")
    if len({trial.value for trial in complete}) == 1:
        return sentence(title, f"All complete trials have the same {metric}.")
    if len(_shared(complete)) < 2:
        return sentence(title, "The complete trials share fewer than two varying parameters: there is nothing to compare.")
    with _quiet():
        try:
            figure = plot_param_importances(study, params=_shared(complete), target_name=metric.value)
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            return sentence(title, f"Importance cannot be told: {error}")
    return _dressed(figure, title)


def parallel_coordinates(study: optuna.Study, metric: Metric) -> go.Figure:
    """Each complete trial as a line through its values, over the parameters that all of them have."""
    title = f"Parallel coordinates for {metric}"
    complete = _complete(study)
    if len(complete) < 2:
        return sentence(title, "Fewer than two trials are complete.")
    if not _shared(complete):
        return sentence(title, "No parameter differs between the complete trials.")
    with _quiet():
        figure = plot_parallel_coordinate(study, params=_shared(complete), target_name=metric.value)
    return _dressed(figure, title)


def learning_curves(past: Iterable[Record], metric: Metric) -> go.Figure:
    """The metric by epoch of every trial, coloured by outcome; the best trial on top."""
    title = f"Learning curves of {metric}"
    groups: dict[Outcome | None, list[tuple[int, Curve]]] = {}
    best: tuple[float, int, Curve] | None = None
    for record in past:
        curve = finite_points(record.reports, metric)
        if not curve:
            continue
        groups.setdefault(record.outcome, []).append((record.trial.number, curve))
        value = best_value(curve, metric)
        if record.outcome is Outcome.COMPLETE and (best is None or metric.better(value, best[0])):
            best = (value, record.trial.number, curve)
    if not groups:
        return sentence(title, "No trial has reported a finite value yet.")
    figure = go.Figure()
    for outcome in sorted(groups, key=lambda outcome: outcome is Outcome.COMPLETE):
        _add_curves(figure, groups[outcome], str(outcome or "running"), COLOURS[outcome], width=1)
    if best is not None:
        _add_curves(figure, [best[1:]], f"best: trial {best[1]}", BEST_COLOUR, width=3)
    return _dressed(figure, title).update_layout(xaxis_title="epoch", yaxis_title=metric.value)


def _add_curves(figure: go.Figure, curves: Iterable[tuple[int, Curve]], name: str, colour: str, width: int) -> None:
    """All curves as one trace: gaps between them keep a page with hundreds of trials small."""
    x: list[int | None] = []
    y: list[float | None] = []
    trials: list[int | None] = []
    for number, curve in curves:
        x += [*curve, None]
        y += [*curve.values(), None]
        trials += [number] * len(curve) + [None]
    hover = "trial %{customdata}, epoch %{x}: %{y:.4g}<extra></extra>"
    figure.add_scatter(
        x=x,
        y=y,
        customdata=trials,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": width},
        marker={"size": width + 2},
        hovertemplate=hover,
    )


def _dressed(figure: go.Figure, title: str) -> go.Figure:
    return figure.update_layout(title=title, template="plotly_white", margin={"l": 60, "r": 30, "t": 60, "b": 50})


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _shared(trials: Sequence[optuna.trial.FrozenTrial]) -> list[str]:
    """Parameters that all trials have and that differ between them."""
    names = [name for name in trials[0].params if all(name in trial.params for trial in trials)]
    return [name for name in names if len({trial.params[name] for trial in trials}) > 1]


def _merged(distributions: Sequence[Distribution], value: Scalar, drawn: Sequence[Scalar]) -> BaseDistribution:
    """One Optuna distribution that holds all those that share a place in the config; where brackets were tested, all that was drawn."""
    options = [option for each in distributions if isinstance(each, Choice) for option in each.options]
    ranges = [each for each in distributions if isinstance(each, Uniform | Log | Int)]
    if any(isinstance(each, Auto) for each in distributions):
        rates = [float(rate) for rate in drawn if isinstance(rate, int | float)]
        ranges.append(Log(min(rates), max(rates)))
    if options or not ranges:
        return CategoricalDistribution(list(dict.fromkeys([*options, value])))
    low, high = min(each.low for each in ranges), max(each.high for each in ranges)
    log = low > 0 and any(isinstance(each, Log) or (isinstance(each, Int) and each.log) for each in ranges)
    if all(isinstance(each, Int) for each in ranges):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna warns and logs about what the figures say themselves."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
