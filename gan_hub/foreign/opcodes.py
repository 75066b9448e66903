"""An interpreter of pickles that calls nothing: it moves data on a stack, as `pickle` does, and leaves calls to rebuild.py.

`pickletools.genops` splits the bytes into opcodes, and never runs one.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any, NoReturn

from gan_hub.foreign import rebuild
from gan_hub.foreign.inert import ForeignError, Global, Inert, NumpyArray, NumpyDtype, Storage

MAX_OPCODES = 2_000_000  # a network of StyleGAN2 has some 50,000, an optimizer's state beside it as many
CONSTANTS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8",
}  # fmt: skip
EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": list,
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
}  # fmt: skip
PUTS, GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}

Persistent = Callable[[object], Any]


def refuse_persistent(key: object) -> NoReturn:
    """Refuse the references of a pickle to something outside, where there is nothing outside."""
    raise ForeignError("its pickle refers to tensors that are not in it")


class Machine:
    """Reads one pickle from a stream, and leaves the stream behind its end.

    Example:
        >>> import io
        >>> from gan_hub.foreign.opcodes import Machine
        >>> Machine(io.BytesIO(b"(lp0\\nI7\\na."), lambda key: None, lambda data: None).run()
        [7]
    """

    def __init__(self, stream: IO[bytes], persistent: Persistent, nested: Callable[[bytes], Storage]) -> None:
        """Prepare to read.

        Args:
            stream: where the pickle begins.
            persistent: the object that a persistent id of the pickle means.
            nested: reads a storage that lies in a file inside of the pickle.
        """
        self.stream, self.persistent, self.nested = stream, persistent, nested
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # stacks below the marks
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The object that the pickle describes, as inert data.

        Raises ForeignError for an opcode that is not known or has nothing to work on, and for more than MAX_OPCODES.
        """
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(self.stream)):
                if count >= MAX_OPCODES:
                    raise ForeignError(f"its pickle has more than {MAX_OPCODES:,} steps")
                if opcode.name == "STOP":
                    break
                self._step(opcode.name, argument)
            return self.stack.pop()
        except (ForeignError, MemoryError):
            raise
        except RecursionError:
            raise ForeignError("its pickle is nested too deeply") from None
        except Exception as error:  # whatever damage makes of a stack, a memo or a number
            raise ForeignError(f"its pickle is damaged ({type(error).__name__})") from error

    def _step(self, name: str, argument: Any) -> None:
        if name in CONSTANTS:
            self.stack.append(argument)
        elif name in PUTS:
            self.memo[argument] = self.stack[-1]
        elif name in GETS:
            self.stack.append(self.memo[argument])
        elif name in EMPTY:
            self.stack.append(EMPTY[name]())
        else:
            step = STEPS.get(name)
            if step is None:
                raise ForeignError(f"its pickle has a step that no file of a network has ({name})")
            step(self, argument)

    # ------------------------------------------------------------------------------------------- the stack

    def _mark(self, _: object) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def _to_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.outer.pop()
        return items

    def _pop(self, _: object) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._to_mark()

    def _pop_mark(self, _: object) -> None:
        self._to_mark()

    def _dup(self, _: object) -> None:
        self.stack.append(self.stack[-1])

    def _memoize(self, _: object) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    # ------------------------------------------------------------------------------------------- containers

    def _tuple(self, _: object) -> None:
        items = self._to_mark()
        self.stack.append(tuple(items))

    def _short_tuple(self, size: int) -> None:
        items = tuple(self.stack[-size:])
        if len(items) != size:
            raise IndexError
        self.stack[-size:] = [items]

    def _list(self, _: object) -> None:
        items = self._to_mark()
        self.stack.append(items)

    def _dict(self, _: object) -> None:
        items, fresh = self._to_mark(), {}
        _set_items(fresh, items)
        self.stack.append(fresh)

    def _append(self, _: object) -> None:
        value = self.stack.pop()
        _extend(self.stack[-1], [value])

    def _appends(self, _: object) -> None:
        items = self._to_mark()
        _extend(self.stack[-1], items)

    def _set_item(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _set_items(self.stack[-1], [key, value])

    def _set_many(self, _: object) -> None:
        items = self._to_mark()
        _set_items(self.stack[-1], items)

    # ------------------------------------------------------------------------------------------- names and calls

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: object) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ForeignError("its pickle names a class by something that is no text")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        named = Global(module[:200], name[:200])
        rebuild.refuse_by_name(named)
        self.stack.append(named)

    def _call(self, function: object, arguments: object) -> None:
        if not isinstance(arguments, (tuple, list)):
            raise ForeignError("its pickle calls something without arguments")
        self.stack.append(rebuild.call(function, arguments, self.nested))

    def _reduce(self, _: object) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self._call(function, arguments)

    def _new(self, _: object) -> None:
        self._reduce(None)  # as cls.__new__(cls, *arguments) is data here as well

    def _new_with_names(self, _: object) -> None:
        named, arguments, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self._call(function, arguments)
        if isinstance(self.stack[-1], Inert) and isinstance(named, dict):
            self.stack[-1].items.update(named)

    def _inst(self, argument: str) -> None:
        arguments = self._to_mark()
        self._global(argument)
        self._call(self.stack.pop(), arguments)

    def _obj(self, _: object) -> None:
        function, *arguments = self._to_mark()
        self._call(function, arguments)

    def _build(self, _: object) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, NumpyArray):
            rebuild.numpy_array(target, state)
        elif isinstance(target, NumpyDtype):
            target.order = state[1] if isinstance(state, tuple) and len(state) > 1 else target.order
        elif isinstance(target, Inert):
            target.state = state

    def _persistent_on_stack(self, _: object) -> None:
        self.stack.append(self.persistent(self.stack.pop()))

    def _persistent_in_line(self, key: str) -> None:
        self.stack.append(self.persistent(key))

    def _bytes(self, data: bytes | bytearray) -> None:
        self.stack.append(bytes(data))

    def _nothing(self, _: object) -> None:
        pass


def _extend(target: Any, items: list[Any]) -> None:
    if isinstance(target, Inert):
        target.elements.extend(items)
    elif type(target) is list:
        target.extend(items)
    else:
        raise TypeError


def _set_items(target: Any, items: list[Any]) -> None:
    if len(items) % 2:
        raise IndexError
    into = target.items if isinstance(target, Inert) else target
    if type(into) is not dict:
        raise TypeError
    for key, value in zip(items[::2], items[1::2], strict=True):
        into[rebuild.key_of(key)] = value


STEPS: dict[str, Callable[[Machine, Any], None]] = {
    "PROTO": Machine._nothing, "FRAME": Machine._nothing, "MARK": Machine._mark, "POP": Machine._pop,
    "POP_MARK": Machine._pop_mark, "DUP": Machine._dup, "MEMOIZE": Machine._memoize, "TUPLE": Machine._tuple,
    "TUPLE1": lambda machine, _: machine._short_tuple(1), "TUPLE2": lambda machine, _: machine._short_tuple(2),
    "TUPLE3": lambda machine, _: machine._short_tuple(3), "LIST": Machine._list, "DICT": Machine._dict,
    "FROZENSET": Machine._list, "APPEND": Machine._append, "APPENDS": Machine._appends, "ADDITEMS": Machine._appends,
    "SETITEM": Machine._set_item, "SETITEMS": Machine._set_many, "GLOBAL": Machine._global,
    "STACK_GLOBAL": Machine._stack_global, "REDUCE": Machine._reduce, "BUILD": Machine._build, "INST": Machine._inst,
    "OBJ": Machine._obj, "NEWOBJ": Machine._new, "NEWOBJ_EX": Machine._new_with_names,
    "BINPERSID": Machine._persistent_on_stack, "PERSID": Machine._persistent_in_line, "BYTEARRAY8": Machine._bytes,
}  # fmt: skip
