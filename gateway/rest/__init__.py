"""A client for one REST API over HTTP: URLs, token, deadline, retries, breaker, concurrency,
limits, connections. `gateway.rest.decoding` decodes the answers.

It knows no customer, no record and no adapter. Of the gateway it imports errors and time limits.
"""

from __future__ import annotations

from gateway.rest._answer import Answer, SampledAnswer
from gateway.rest._answer_cache import AnswerCache, AnswerCaches
from gateway.rest._caller import RestCaller
from gateway.rest._events import BreakerChanged, UnusableAnswer, UpstreamCall
from gateway.rest._probe import RawAnswer, RawCalls, probe
from gateway.rest._proxies import Proxy
from gateway.rest._statuses import unreadable
from gateway.rest._tls import tls_context
from gateway.rest._transport import HttpTransport
from gateway.rest._upstream import CallerUpstream, Upstream
from gateway.rest._urls import BaseUrl, Query

__all__ = [
    "Answer",
    "AnswerCache",
    "AnswerCaches",
    "BaseUrl",
    "BreakerChanged",
    "CallerUpstream",
    "HttpTransport",
    "Proxy",
    "Query",
    "RawAnswer",
    "RawCalls",
    "RestCaller",
    "SampledAnswer",
    "UnusableAnswer",
    "Upstream",
    "UpstreamCall",
    "probe",
    "tls_context",
    "unreadable",
]
