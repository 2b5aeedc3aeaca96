"""Serve a page where people paste a document and a summary, and see the score and the reasons.

Example: quals app --open

It is the page that the metric's Space shows. Only this machine can reach it, unless --host says otherwise.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--checkpoint", help="folder or Hub name of a QAGen; the embedded one if not given")
    add("--device", help="cuda, mps, cpu, ...; the best available if not given")
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 lets others in, and nothing asks who they are",
    )
    add("--hostname", action="append", default=[], help="name that visitors may call this server by; may be repeated")
    add("--port", type=int, default=7860, help="port to listen on")
    add("--open", action="store_true", help="open a browser")


def run(arguments: argparse.Namespace) -> None:
    from quals.errors import require_extra

    require_extra("app", "gradio")
    from quals.page import launch
    from starlette.middleware import Middleware

    from trainer_ext.study.guard import HostNames

    names = [*arguments.hostname, arguments.host]
    launch(
        arguments.checkpoint,
        arguments.device,
        server_name=arguments.host,
        server_port=arguments.port,
        inbrowser=arguments.open,
        app_kwargs={"middleware": [Middleware(HostNames, names, "quals app --hostname")]},
    )
