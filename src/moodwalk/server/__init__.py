"""The HTTP API, and the web app beneath it; needs the extra ``app``.

Requests are looked at in worker processes; the event loop only passes them on. Import what is needed from
the modules: `moodwalk.server.app.make_app`, `moodwalk.server.run.serve`,
`moodwalk.server.settings.ServerSettings`.
"""
