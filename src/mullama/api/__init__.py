"""Wire dialects: HTTP in, `types.Backend` calls, HTTP out. Nothing here computes.

server      the process's life;  sockets, connection  what it listens on, and to
app         the application: every route, what surrounds it, its description
paths       what wrong base URLs make of paths
middleware  request ids, CORS, the body's limit, the end of every error
errors      any exception -> status, headers and body
bodies      a request's bytes -> a validated model
responses   an answer that ends when its client leaves;  sse  the same, streamed
merge       several answers as one stream
system      /health, /healthz, /status;  openapi, docs  the description and its page
openai/     schema (the wire), convert (wire -> types), chunks and collected (events -> wire)
"""
