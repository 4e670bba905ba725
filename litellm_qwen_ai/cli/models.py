"""The command `litellm-qwen-ai models`."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.models import CATALOGUE, Model
from litellm_qwen_ai.oauth.prompt import is_terminal
from litellm_qwen_ai.plans import AS_OF, PLANS
from litellm_qwen_ai.screen import columns, wrapped


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print both as JSON.")
def models(*, as_json: bool) -> int:
    """List the models that are known, and the plans of keys.

    Any other model passes through to the server. A key works at its own plan's address only.
    """
    if as_json:
        listed = [{"model": model.route, **asdict(model)} for model in CATALOGUE]
        exits.print_json({"models": listed, "plans": [asdict(plan) for plan in PLANS], "plans_as_of": AS_OF})
        return exits.DONE
    _show_models()
    click.echo(f"\n{wrapped(f'Plans that keys are issued for ({AS_OF}):')}")
    for plan in PLANS:
        named = wrapped(f"{plan.name}: {plan.title}; keys {' '.join(plan.keys)}", indent=2)
        terms = wrapped(f"Its terms: {plan.allows}", indent=2)
        click.echo(f"\n{named}\n  {plan.base_url}\n  {terms}\n  {plan.source}")
    return exits.DONE


def _show_models() -> None:
    rows = [("MODEL", "INPUT", "OUTPUT", "ABILITIES"), *(_row(model) for model in CATALOGUE)]
    names, most_in, most_out, able = (max(len(row[column]) for row in rows) for column in range(4))
    if is_terminal(sys.stdout) and names + most_in + most_out + able + 6 > columns():
        for name, taken, given, abilities in rows[1:]:
            click.echo(wrapped(f"{name}: {taken} tokens in, {given} out; {abilities}", indent=2))
        return
    for row in rows:
        click.echo(f"{row[0]:<{names}}  {row[1]:>{most_in}}  {row[2]:>{most_out}}  {row[3]}")


def _row(model: Model) -> tuple[str, str, str, str]:
    abilities = {
        "vision": model.vision,
        "video": model.video,
        "tools": model.tools,
        "thinking": model.reasoning,
    }
    return (
        model.route,
        f"{model.max_input_tokens:,}",
        f"{model.max_output_tokens:,}",
        ", ".join(name for name, has in abilities.items() if has),
    )
