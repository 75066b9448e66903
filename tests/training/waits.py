"""Counts where a training step waits for its device, on a machine that has none: on torch's "meta" device.

A GPU works behind Python's back until Python asks for a number. Each such question (`item`, a comparison of whole tensors, a
mask as an index) and each plain copy to or from the host makes Python wait for all that was queued, and the GPU then waits
for Python. Meta tensors have no numbers, so that nothing can look at one unseen.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

META = torch.device("meta")
ASKS = {"_local_scalar_dense", "equal", "nonzero", "is_nonzero", "masked_select", "unique_dim", "_unique2"}
FROM_NUMBERS = {"tensor", "as_tensor", "new_tensor"}  # they copy numbers of Python's to the device


class Waits(TorchDispatchMode):
    """Notes each wait for the device in `found`, by the name of what asked, while it is entered.

    A number that is asked for is `answer`, or True of a boolean.
    """

    def __init__(self, answer: float = 0.5) -> None:
        super().__init__()
        self.found: list[str] = []
        self.answer, self._constants = answer, _Constants(self.found)

    def __enter__(self) -> "Waits":
        self._constants.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._constants.__exit__(*error)

    def __torch_dispatch__(self, operator: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name, tensors = operator._overloadpacket.__name__, [each for each in args if isinstance(each, torch.Tensor)]
        on_device = any(tensor.device.type == "meta" for tensor in tensors)
        if name in ASKS and on_device:
            self.found.append(name)
            if name == "_local_scalar_dense":
                return (
                    True if tensors[0].dtype == torch.bool else tensors[0].dtype.is_floating_point and self.answer or 0
                )
        if name in ("index", "index_put", "index_put_") and on_device and _has_mask(args[1]):
            self.found.append("boolean mask")
        if name == "_to_copy" and kwargs.get("device") is not None and not kwargs.get("non_blocking"):
            self._note_copy(tensors[0].device, torch.device(kwargs["device"]))
            if tensors[0].device.type == "meta" and torch.device(kwargs["device"]).type == "cpu":
                return torch.full(tensors[0].shape, self.answer, dtype=kwargs.get("dtype") or tensors[0].dtype)
        if name == "copy_" and not (len(args) > 2 and args[2]):
            self._note_copy(tensors[1].device, tensors[0].device)
        return operator(*args, **kwargs)

    def _note_copy(self, source: torch.device, target: torch.device) -> None:
        if source != target:
            self.found.append(f"copy {'to' if target == META else 'from'} the device")


class _Constants(TorchFunctionMode):
    """Notes tensors that are made of Python's numbers on the device."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        made = getattr(function, "__name__", "") in FROM_NUMBERS and not isinstance(args[-1], torch.Tensor)
        if made and isinstance(result, torch.Tensor) and result.device == META:
            self.found.append("numbers copied to the device")
        return result


def _has_mask(indices: Any) -> bool:
    return any(isinstance(each, torch.Tensor) and each.dtype in (torch.bool, torch.uint8) for each in indices)
