"""Serve a page where people paste a document and a summary, and see the score and the reasons.

It is the page that the metric's Space shows. On this machine only, unless --host says otherwise.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--checkpoint", help="folder or Hub name of a QAGen; none is the embedded one")
    add("--device", help="cuda, mps, cpu, ...; none takes the best one there is")
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 lets others in, and nothing asks who they are",
    )
    add("--port", type=int, default=7860, help="port to listen on")
    add("--open", action="store_true", help="open a browser")


def run(arguments: argparse.Namespace) -> None:
    if find_spec("gradio") is None:
        raise ValueError("The page needs gradio, which is not installed: pip install 'quals[app]'.")
    from quals.app import launch

    launch(
        arguments.checkpoint,
        arguments.device,
        server_name=arguments.host,
        server_port=arguments.port,
        inbrowser=arguments.open,
    )
