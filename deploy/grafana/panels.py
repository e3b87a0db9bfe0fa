"""The kinds of panels that the dashboards are made of, and what their colours mean.

Green is well, orange is to be looked at, red is to be acted on; blue, grey and purple say nothing
of good or bad. A series that means one of these has its colour by name on every panel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

WELL, LOOK, ACT = "green", "orange", "red"
PLAIN, QUIET, OTHER = "blue", "gray", "purple"

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
Steps = Sequence[tuple[float, str]]
Colours = Mapping[str, str]

COUNT = ((0, WELL), (1, LOOK))
"""Of what there should be none."""
BROKEN = ((0, WELL), (1, ACT))
UP = ((0, ACT), (1, WELL))
NO_OPINION = ((0, PLAIN),)


@dataclass(frozen=True)
class Query:
    """A query and what its series are called; `{{label}}` is a label's value."""

    expr: str
    legend: str = ""
    exemplars: bool = False
    """Whether the traces of single recordings are shown as dots; click one to see its trace."""


def stat_panel(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "short",
    steps: Steps = NO_OPINION,
    words: Mapping[str, tuple[str, str]] | None = None,
    none: str = "no data",
    width: int = 4,
) -> stat.Panel:
    """One number now. `words`: by value, what is shown instead and its colour."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .no_value(none)
        .thresholds(_thresholds(steps))
        .color_mode(options.BigValueColorMode.BACKGROUND)
        .graph_mode(options.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))  # noqa: FBT003 - the builder's own signature
        .with_target(_target(Query(expr)).instant())
        .height(4)
        .span(width)
    )
    if words is not None:
        mapped = {
            value: models.ValueMappingResult(text=text, color=colour)
            for value, (text, colour) in words.items()
        }
        panel = panel.mappings([models.ValueMap(options=mapped)])
    return panel


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    colours: Colours | None = None,
    limit: float | None = None,
    stacked: bool = False,
    bars: bool = False,
    width: int = 12,
) -> timeseries.Panel:
    """Series over time. `limit`: where a line is drawn beyond which it is not well any more."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(60 if bars else 10)
        .draw_style(options.GraphDrawStyle.BARS if bars else options.GraphDrawStyle.LINE)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
        .height(8)
        .span(width)
    )
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel = panel.with_target(_target(query).ref_id(letter))
    for name, colour in (colours or {}).items():
        panel = panel.override_by_name(name, [_fixed(colour)])
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL))
    if limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(options.GraphTresholdsStyleMode.LINE)
        panel = panel.thresholds(_thresholds(((0, WELL), (limit, ACT)))).thresholds_style(style)
    return panel


def shape(title: str, description: str, expr: str, *, width: int = 12) -> bargauge.Panel:
    """A histogram of this moment: a bar for each bucket."""
    target = _target(Query(expr, "{{le}}")).instant().format(PromQueryFormat.HEATMAP)
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("short")
        .thresholds(_thresholds(NO_OPINION))
        .orientation(options.VizOrientation.VERTICAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))  # noqa: FBT003 - the builder's own signature
        .with_target(target)
        .height(8)
        .span(width)
    )


def new_dashboard(title: str, uid: str, description: str, since: str) -> builders.Dashboard:
    """An empty one: of a Prometheus to choose, and of the scrape jobs that it knows Courier by."""
    jobs = (
        builders.QueryVariable("job")
        .label("job")
        .description("The scrape jobs of Courier: one for each platform, as a rule.")
        .datasource(SOURCE)
        .query("label_values(courier_build_info, job)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)  # noqa: FBT003 - the builder's own signature
        .include_all(True)  # noqa: FBT003 - the builder's own signature
        .all_value(".+")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )
    source = builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    return (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["courier"])
        .timezone("browser")
        .refresh("30s")
        .time(since, "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(source)
        .with_variable(jobs)
        .link(
            builders.DashboardLink("Courier")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["courier"])
            .keep_time(True)  # noqa: FBT003 - the builder's own signature
            .include_vars(True)  # noqa: FBT003 - the builder's own signature
        )
    )


def _target(query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).datasource(SOURCE).ref_id("A")
    if query.exemplars:
        target = target.exemplar(query.exemplars)
    return target.legend_format(query.legend) if query.legend else target


def _thresholds(steps: Steps) -> builders.ThresholdsConfig:
    (_, lowest), *others = steps
    config = builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE)
    rest = [models.Threshold(value=value, color=colour) for value, colour in others]
    return config.steps([models.Threshold(value=None, color=lowest), *rest])


def _fixed(colour: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(options.LegendDisplayMode.TABLE)
        .placement(options.LegendPlacement.BOTTOM)
        .show_legend(True)  # noqa: FBT003 - the builder's own signature
        .calcs(["lastNotNull", "max"])
    )
