"""What schemathesis does besides: spares the fuzzer's own account, counts answers, and looks for what mustn't be read."""

import atexit
import collections
import json
import os

import schemathesis

FORBIDDEN = os.environ.get("FUZZ_FORBIDDEN")
# The user and the token that fuzz; the token's id is what stands in it behind `wl_`.
USER, TOKEN = json.loads(os.environ["FUZZ_SELF"]) or ("", "")
ANSWERS = collections.defaultdict(collections.Counter)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody can go on who revoked their own token, or removed, disabled or bereft themselves: those go to a stranger."""
    if case.method == "GET" or not USER:
        return
    parameters = case.path_parameters or {}
    own_user = case.path.startswith("/api/v1/users/{name}") and parameters.get("name") == USER
    own_token = case.path == "/api/v1/tokens/{id}" and str(parameters.get("id")) and str(parameters.get("id")) in TOKEN
    if own_user or own_token:
        case.path_parameters["name" if own_user else "id"] = "a-stranger"


@schemathesis.hook
def after_call(context, case, response):
    ANSWERS[f"{case.operation.method.upper()} {case.path}"][str(response.status_code)] += 1


@atexit.register
def tell():
    with open(os.environ["FUZZ_ANSWERS"], "w") as file:
        json.dump(ANSWERS, file)


if FORBIDDEN:

    @schemathesis.check
    def nothing_of_another_organisation(ctx, response, case):
        """What only the platform knows never stands in an answer to anybody else; the fuzzer itself never says it."""
        if FORBIDDEN.encode() in response.content:
            raise AssertionError(f"an answer to somebody who isn't of the platform holds `{FORBIDDEN}`")
