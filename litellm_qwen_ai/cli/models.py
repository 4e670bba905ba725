"""The command `litellm-qwen-ai models`."""

from __future__ import annotations

from dataclasses import asdict

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.models import CATALOGUE, Model
from litellm_qwen_ai.plans import AS_OF, PLANS


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
    rows = [("MODEL", "INPUT", "OUTPUT", "ABILITIES"), *(_row(model) for model in CATALOGUE)]
    names, most_in, most_out = (max(len(row[column]) for row in rows) for column in range(3))
    for row in rows:
        click.echo(f"{row[0]:<{names}}  {row[1]:>{most_in}}  {row[2]:>{most_out}}  {row[3]}")
    click.echo(f"\nPlans that keys are issued for ({AS_OF}):")
    for plan in PLANS:
        click.echo(f"\n{plan.name}: {plan.title}; keys {' '.join(plan.keys)}\n  {plan.base_url}")
        click.echo(f"  Its terms: {plan.allows}\n  {plan.source}")
    return exits.DONE


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
