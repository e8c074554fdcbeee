"""One small real application for each framework. All have the same routes, so one suite drives them all.

Every site has these, all by GET. The first group is written once (``common.VERBS``): a site gives each verb the session
and the query, and answers with its result as JSON.

| route                     | what it does                                                                             |
|---------------------------|------------------------------------------------------------------------------------------|
| the names of ``VERBS``    | see there                                                                                |
| /untouched                | answers "ok" and never looks at the session                                              |
| /redirect                 | puts "redirect" under "from", and sends the browser to /all by 302                       |
| /status?code=             | puts the code under "code", and answers with it                                          |
| /raise                    | puts True under "lost", then raises RuntimeError; the framework makes the error page     |
| /save-and-raise           | puts True under "saved", calls save(), then raises RuntimeError                          |
| /stream                   | puts "begun" under "stream", sends "a", "b" and "c"; after "b" the key says "over"       |
| /break                    | puts "begun" under "stream", sends "a", writes "broken" there, and raises RuntimeError   |
| /endless                  | writes "going" under "endless" after the first chunk, and sends chunks until nobody reads|
| /file                     | puts True under "file", and sends ``common.FILE`` as the framework sends files           |
| /headers?key=             | reads the key; answers with Cache-Control: public, max-age=60, and two lines of Vary,    |
|                           | Accept and Accept-Language: one, where the framework can have no two                     |
| /headers-set?key=&value=  | the same, and writes the key                                                             |
| /gate?name=&key=&value=   | reads the session, waits at ``common.Gate(name)``, and writes the key; without           |
|                           | a key it calls destroy()                                                                 |
| /thread?key=&value=       | writes the key in a synchronous handler, in the framework's own pool of threads          |
| /clear-slot               | sets the framework's slot for the session to None, where there is such a slot            |
| /socket?begin=            | a WebSocket: writes True under "begun" if asked to, before the handshake is answered;    |
|                           | then answers each message with ``common.converse``, and closes at "bye"                  |

A module here has ``make(sessions, lazy)``, which returns the application for one manager (``lazy`` is None where the
integration's default is right), and ``app``, all of them together (``common.asgi_app``, ``common.wsgi_app``): the
default at /, and each variant of ``common.VARIANTS`` mounted at /~<its name>. A framework that cannot have several in
one process makes the one that the environment names (``common.the_variant``).
"""
