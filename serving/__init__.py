"""The prediction service: HTTP in and out, no decision of its own (those are `handoff.decision.Judge`'s).

service.py   the BentoML class with its endpoints           worker.py   what answers them, models and store
current.py   the judge that answers now, and its successor  records.py  what /rules and /status answer
lean.py      what a worker leaves out to start soon         front.py    what stands in front of BentoML
http.py      request ids, limits, answers to bad requests   openapi.py  the document of all routes
routes.py    the GET routes                                 pages/      what a browser sees
"""
