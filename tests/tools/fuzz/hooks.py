"""What schemathesis does besides: spares the fuzzer's own account, counts answers, and looks for what mustn't be read."""

import atexit
import collections
import json
import os

import schemathesis

FORBIDDEN = os.environ.get("FUZZ_FORBIDDEN")
# The user and the token that fuzz; the token's id is what stands in it behind `wl_`.
USER, TOKEN = json.loads(os.environ["FUZZ_SELF"]) or ("", "")
# The admin's, where the fuzzer knows it; it changes when the fuzzer changes it.
PASSWORD = [os.environ["FUZZ_PASSWORD"]]
# By path: values that mean something only together.
TOGETHER = json.loads(os.environ["FUZZ_TOGETHER"])
SENT = collections.Counter()
ANSWERS = collections.defaultdict(collections.Counter)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Schemathesis turns tuples into what its own validator refuses: here they are lists of whatever stands in them."""
    pending = [raw_schema]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "prefixItems" in value:
                kinds = value.pop("prefixItems")
                value["items"] = {} if True in kinds else {"anyOf": kinds}
            pending += value.values()
        elif isinstance(value, list):
            pending += value


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody can go on who revoked their own token, or removed, disabled or bereft themselves: those go to a stranger."""
    parameters = case.path_parameters or {}
    if "~1" in str(parameters.get("name")):
        parameters["name"] = parameters["name"].replace("~1", "/")
    if case.path in TOGETHER and case.meta and case.meta.generation.mode.is_positive:
        fit_together(case)
    if PASSWORD[0] and isinstance(case.body, dict):
        # Who guesses passwords is made to wait, and would see nothing else.
        if isinstance(case.body.get("current"), str):
            case.body["current"] = PASSWORD[0]
        if case.path == "/api/v1/session" and isinstance(case.body.get("password"), str):
            case.body["password"] = PASSWORD[0]
            if isinstance(case.body.get("name"), str):
                case.body["name"] = "admin"
    if case.method == "GET" or not USER:
        return
    own_user = case.path.startswith("/api/v1/users/{name}") and parameters.get("name") == USER
    own_token = case.path == "/api/v1/tokens/{id}" and str(parameters.get("id")) and str(parameters.get("id")) in TOKEN
    if own_user or own_token:
        case.path_parameters["name" if own_user else "id"] = "a-stranger"


def fit_together(case):
    """Of well-formed requests every second one names a thing that is there, and says of it what is so."""
    SENT[case.path] += 1
    turn, rest = divmod(SENT[case.path], 2)
    if rest:
        return
    choices = TOGETHER[case.path]
    for name, value in choices[turn % len(choices)].items():
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict) and type(part.get(name)) is type(value):
                part[name] = value


@schemathesis.hook
def after_call(context, case, response):
    if PASSWORD[0] and case.path == "/api/v1/session/password" and response.status_code == 204:
        PASSWORD[0] = case.body["password"]
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
