"""Registers the route with LiteLLM now, or the moment LiteLLM is imported.

LiteLLM discovers no plugins, and importing it from here would cost everyone seconds. So an import
watcher (a `sys.meta_path` finder, PEP 451) waits for `import litellm` and steps aside after it.
"""

from __future__ import annotations

import importlib
import sys

from litellm_qwen_ai.names import LOGGER

TYPE_CHECKING = False  # true for mypy; see `litellm_qwen_ai/__init__.py`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def register() -> None:
    """Register the route, the catalogue and the adaptations; see `litellm_qwen_ai.register`."""
    provider = importlib.import_module("litellm_qwen_ai.route.provider")
    importlib.import_module("litellm_qwen_ai.route.host").install(provider.handler)


def register_when_litellm_is_imported() -> None:
    """Register at once if LiteLLM is there, else right after it has been imported."""
    litellm = sys.modules.get("litellm")
    if litellm is None:
        if not any(isinstance(finder, _LiteLLMWatcher) for finder in sys.meta_path):
            sys.meta_path.insert(0, _LiteLLMWatcher())
        return
    if getattr(litellm.__spec__, "_initializing", False):
        # Another thread is importing it: this waits for that import to end.
        importlib.import_module("litellm")
    register()


class _LiteLLMWatcher:
    """Finds `litellm` as everyone else would, and has its loader call us when it is done."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != "litellm":
            return None
        import importlib.util  # noqa: PLC0415  # see `litellm_qwen_ai/__init__.py`

        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader, self)  # type: ignore[assignment]  # it does what one does
        return spec


class _RegisteringLoader:
    """LiteLLM's own loader, plus one call after the module has run."""

    def __init__(self, loader: Any, watcher: _LiteLLMWatcher) -> None:
        self._loader = loader
        self._watcher = watcher

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module must keep its own loader: importlib.resources and pkgutil look at it.
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        # Only a successful import ends the watch: a failed one may be tried again.
        if self._watcher in sys.meta_path:
            sys.meta_path.remove(self._watcher)
        try:
            register()
        except Exception:
            # `import litellm` must not fail because of a plugin; register() says what is wrong.
            import logging  # noqa: PLC0415  # see `litellm_qwen_ai/__init__.py`

            logging.getLogger(LOGGER).exception(
                "litellm-qwen-ai could not register the route qwen_ai/ with LiteLLM"
            )
