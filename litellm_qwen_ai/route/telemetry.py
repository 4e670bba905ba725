"""What LiteLLM is told of an exchange beside its answer, as its own providers tell it.

Callbacks, the proxy's headers and Router's counters read the time that the server took, the response's
headers, the address, and the price. LiteLLM keeps them in its logging object and in the answer's
`_hidden_params`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from datetime import datetime
from typing import TYPE_CHECKING, Any

import litellm

from litellm_qwen_ai.names import PROVIDER
from litellm_qwen_ai.route.private_names import look_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

_set_duration = look_up("litellm.litellm_core_utils.logging_utils._set_duration_in_model_call_details")
_process_headers = look_up("litellm.litellm_core_utils.core_helpers.process_response_headers")
_set_breakdown = look_up("litellm.litellm_core_utils.litellm_logging.Logging.set_cost_breakdown")
_PATH = "/chat/completions"
#: In the headers of a proxy, which LiteLLM believes.
_STATED_COST = "llm_provider-x-litellm-response-cost"
#: How a cost of 0 comes about, as LiteLLM's own calculation tells it.
_NOTHING = dict.fromkeys(
    (
        "input_cost",
        "output_cost",
        "total_cost",
        "cost_for_built_in_tools_cost_usd_dollar",
        "original_cost",
        "discount_percent",
        "discount_amount",
        "margin_percent",
        "margin_fixed_amount",
        "margin_total_amount",
    ),
    0.0,
)


@contextlib.contextmanager
def timed(logging_obj: Any) -> Iterator[None]:
    """Note how long the server took, whatever comes of it: a context manager around an exchange."""
    began = datetime.now()  # noqa: DTZ005  # as LiteLLM, which subtracts it from its own
    try:
        yield
    finally:
        if _set_duration is not None and logging_obj is not None:
            _set_duration(logging_obj, began, datetime.now())  # noqa: DTZ005  # as above


def address(url: str) -> str:
    """The base URL of a request's URL: what `api_base` is called in logs and headers."""
    return url.partition(_PATH)[0]


def of_stream(response: httpx.Response, ours: Mapping[str, str]) -> dict[str, Any]:
    """What is shown beside a stream, with headers of ours; LiteLLM works the same out for a whole answer."""
    shown = {} if _process_headers is None else _process_headers(response.headers)
    return {"api_base": address(str(response.request.url)), "additional_headers": {**shown, **ours}}


def show_answer(made: Any, response: httpx.Response, ours: Mapping[str, str], *, cost: float | None) -> None:
    """The same beside a whole answer, with its cost in USD; None leaves that to LiteLLM."""
    shown = made._hidden_params.get("additional_headers") or {}  # noqa: SLF001  # LiteLLM has no public way
    more = {"api_base": address(str(response.request.url)), "additional_headers": {**shown, **ours}}
    show(made, more if cost is None else {**more, "response_cost": cost})


def show(made: Any, more: Mapping[str, Any]) -> None:
    """Put it where LiteLLM's own providers put it: on a `ModelResponse` or LiteLLM's wrapper of a stream."""
    made._hidden_params = _Hidden({**made._hidden_params, **more})  # noqa: SLF001  # as above


class _Hidden(dict[str, Any]):
    """`_hidden_params` that keep their address: LiteLLM writes None over it if the call was given none."""

    def update(self, *others: Any, **more: Any) -> None:
        new = dict(*others, **more)
        if new.get("api_base") is None:
            new.pop("api_base", None)
        super().update(new)


def is_free(model: str, litellm_params: Mapping[str, Any]) -> bool:
    """Whether nobody has set a price for the model, named without the provider: a login costs nothing."""
    infos = [litellm_params, litellm_params.get("model_info")]
    infos += [(litellm_params.get(name) or {}).get("model_info") for name in ("metadata", "litellm_metadata")]
    if any(price is not None for info in infos if isinstance(info, dict) for price in _prices(info)):
        return False
    if getattr(litellm, "cost_margin_config", None):
        return False
    return not any(_prices(litellm.model_cost.get(f"{PROVIDER}/{model}") or {}))


def free_cost(model: str, made: Any, params: Mapping[str, Any], logging_obj: Any) -> float | None:
    """Tell LiteLLM how a cost of 0 came about, as it would work out for each call.

    Args:
        model: The model, named without the provider.
        made: Its answer, or LiteLLM's wrapper of a stream that has just begun.
        params: What was asked for.
        logging_obj: LiteLLM's, which is told.

    Returns:
        0; None where LiteLLM would say more, of a tier, a discount or a cost that the answer states.
    """
    more = (
        params.get("service_tier")
        or _says(made, "service_tier")
        or _says(getattr(made, "usage", None), "service_tier", "cost")
        or getattr(litellm, "cost_discount_config", None)
        or _STATED_COST in (made._hidden_params.get("additional_headers") or ())  # noqa: SLF001  # as above
    )
    if more or not _can_tell():
        return None if f"{PROVIDER}/{model}" in litellm.model_cost else 0.0
    if logging_obj is not None:
        _set_breakdown(logging_obj, **_NOTHING)
    return 0.0


def _says(what: Any, *names: str) -> bool:
    """Whether an object has one of these, and it is not empty."""
    # To ask pydantic for an attribute that is not there takes 3 us each.
    places = (getattr(what, "__dict__", None), getattr(what, "__pydantic_extra__", None))
    return any(place.get(name) for place in places if place for name in names)


@functools.cache
def _can_tell() -> bool:
    """Whether this LiteLLM's function takes what we have to say."""
    try:
        inspect.signature(_set_breakdown).bind(None, **_NOTHING)
    except TypeError:
        return False
    return True


def _prices(info: dict[str, Any]) -> Iterator[Any]:
    """What stands under the names of prices, of which LiteLLM's list has a hundred for each model."""
    return map(info.get, _of_prices(tuple(info)))


@functools.lru_cache(maxsize=64)  # saves a call 20 us
def _of_prices(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if "cost" in name or "pricing" in name or name == "base_model")
