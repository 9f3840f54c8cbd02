"""Plot History: the losses of a run as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from comfy_api.latest import io

from ..gatys import Record
from ..gatys.descent.plot import plot_history
from . import host
from .sockets import HistorySocket, schema


class PlotHistory(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="GatysPlotHistory",
            display_name="Plot History",
            search_aliases=["loss curve", "loss plot", "convergence", "diagnostics"],
            description="Draws the losses of a run against its steps: whether it has converged, and which term it gave way "
            "in. Needs the package matplotlib.",
            inputs=[
                HistorySocket.Input("history", tooltip="The history of Gatys Optimize or Gatys Optimize Frames."),
                io.Int.Input(
                    "width",
                    default=960,
                    min=320,
                    max=8192,
                    tooltip="Width of the plot in pixels; 480 fits a small preview, 1920 a film of many frames.",
                ),
                io.Int.Input(
                    "height",
                    default=540,
                    min=240,
                    max=8192,
                    tooltip="Height of the plot in pixels; below 300 the legend takes a good part of it.",
                ),
                io.Boolean.Input(
                    "log_scale",
                    default=True,
                    tooltip="On: equal distances are equal factors, which shows the late steps as well as the first. Off: a "
                    "linear axis from 0.",
                ),
                io.Boolean.Input(
                    "layers",
                    default=False,
                    tooltip="On: thin lines show what each layer adds to its term, in the term's colour. Off: the terms alone.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image",
                    tooltip="The plot: the total with its weights, the terms without; grey and white bands are the levels, a "
                    "dashed line begins the next picture of a batch.",
                )
            ],
        )

    @classmethod
    def execute(
        cls, history: Sequence[Sequence[Record]], width: int, height: int, log_scale: bool, layers: bool = False
    ) -> io.NodeOutput:
        plot = plot_history(history, width=width, height=height, log_scale=log_scale, layers=layers)
        return io.NodeOutput(host.join_alpha(plot, None))
