"""The prediction service: HTTP in and out, no decision of its own (those are `handoff.decision.Judge`'s).

On the way in, the outermost first:
wire.py       connections and their limits                admission.py  who is let in when too many come
logs.py       JSON lines, one a request                   guard.py      keys, heads, the headers of every answer
front.py      the layers in front of BentoML              http.py       bodies, ids, answers to bad requests
gate.py       keys and roles                              roles.py      which route needs which role
nesting.py    how deep JSON may go                        bodies.py     what a body says

What answers:
service.py    the BentoML class with its endpoints        worker.py     what a worker does: models, store, routes
current.py    the judge that answers now                  ledger.py     messages, outcomes, the decision log
batch.py      a batch in parts                            hands.py      the processes for them; hand.py is one
records.py    what /rules and /status answer              metrics.py    what /metrics counts
routes.py     the GET routes                              openapi.py    the document of all routes
lean.py       what is left out to start soon              pages/        what a browser sees
"""
