"""What tests of agents, of middleware and of providers need: scripted models, servers and tapes, virtual time."""

from par.testing._cassette.errors import CassetteMissing, CassetteUnreadable, RequestNotRecorded
from par.testing._cassette.tape import Cassette, cassette
from par.testing._drive import Driven, assert_composes, drive_model, drive_tool, model_call, reply, tool_call
from par.testing._scripted import ScriptedModel, ScriptExhausted, call, call_malformed, fail, say
from par.testing._server.script import Faulty, raw_answer, refuse
from par.testing._server.seen import SeenConnection, SeenRequest
from par.testing._server.server import ProviderServer, provider_server
from par.testing._server.sse import SseStyle
from par.testing._virtual_time import virtual_time

__all__ = [
    "Cassette",
    "CassetteMissing",
    "CassetteUnreadable",
    "Driven",
    "Faulty",
    "ProviderServer",
    "RequestNotRecorded",
    "ScriptExhausted",
    "ScriptedModel",
    "SeenConnection",
    "SeenRequest",
    "SseStyle",
    "assert_composes",
    "call",
    "call_malformed",
    "cassette",
    "drive_model",
    "drive_tool",
    "fail",
    "model_call",
    "provider_server",
    "raw_answer",
    "refuse",
    "reply",
    "say",
    "tool_call",
    "virtual_time",
]
