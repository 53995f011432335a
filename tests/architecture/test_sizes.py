"""How long a file, a function and a route's handler may be."""

from __future__ import annotations

import ast

from tests.architecture.sources import Source, functions, shipped, sources

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
HANDLER_LINES_MAX = 15


def long_files(found: list[Source]) -> list[str]:
    return [f"{source.path}: {source.lines} lines" for source in found if source.lines > FILE_LINES_MAX]


def long_functions(found: list[Source]) -> list[str]:
    return [
        f"{source.path}:{function.lineno} {function.name}: {_lines(function)} lines"
        for source in found
        for function in functions(source)
        if _lines(function) > FUNCTION_LINES_MAX
    ]


def long_handlers(found: list[Source]) -> list[str]:
    return [
        f"{source.path}:{function.lineno} {function.name}: {_body_lines(function)} lines"
        for source in found
        for function in functions(source)
        if _is_handler(function) and _body_lines(function) > HANDLER_LINES_MAX
    ]


class TestSizes:
    def test_no_file_is_longer_than_400_lines(self) -> None:
        assert long_files(list(sources())) == []

    def test_no_function_is_longer_than_70_lines(self) -> None:
        assert long_functions(list(sources())) == []

    def test_no_handler_is_longer_than_15_lines_below_its_docstring(self) -> None:
        assert long_handlers(list(shipped())) == []

    def test_what_is_too_long_is_found(self) -> None:
        body = "    x = 1\n"
        handler = '@route("GET", "/x")\ndef x(call):\n    """Says.\n\n    More."""\n'
        assert long_files([Source("a.py", "x = 1\n" * 401)])
        assert long_functions([Source("a.py", "def x():\n" + body * 70)])
        assert long_functions([Source("a.py", "def x():\n" + body * 69)]) == []
        assert long_handlers([Source("a.py", handler + body * 16)])
        assert long_handlers([Source("a.py", handler + body * 15)]) == []


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _is_handler(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "route"
        for decorator in function.decorator_list
    )


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0
