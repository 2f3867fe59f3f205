"""``python -m localcloud.az``: the Azure CLI for a local cloud, or azcopy or acrtm if the first word says so."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from localcloud.az.errors import AzError
from localcloud.az.sign_in import VARIABLE, signed_in


def main(words: Sequence[str]) -> int:
    """Carries one command line out; the exit code."""
    try:
        if words[:1] == ["--azcopy"]:
            from localcloud.az.azcopy import run

            run(words[1:])
        elif words[:1] == ["--acrtm"]:
            from localcloud.az.product import run as run_product

            return run_product(words[1:])
        else:
            _az(words)
        sys.stdout.flush()
    except AzError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever reads has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _az(words: Sequence[str]) -> None:
    from localcloud.az.output import check_query, render
    from localcloud.az.requests import Cloud
    from localcloud.az.syntax import parse
    from localcloud.az.table import function_of

    command, options = parse(words)
    check_query(options.query)
    carry_out = function_of(command)
    sign_in = signed_in()
    if sign_in is None:
        raise AzError(f"Please run 'az login' to setup account: {VARIABLE} names no local cloud.")
    result = carry_out(Cloud(sign_in, options.subscription or ""), options)
    sys.stdout.write(render(result, options.output, options.query))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
