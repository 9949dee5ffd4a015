"""Everyday tools: what a user of a tool-calling model would try first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recipes.tiny.chats import Call
from recipes.tiny.facts.countries import CITIES
from recipes.tiny.skills.tools.catalogue import Parameter, Wish, tool, value
from recipes.tiny.source import Source


@dataclass(frozen=True, slots=True)
class Kind:
    """Names and descriptions that it goes by, its parameters, and requests with slots for them.

    A parameter is `slot names kind`: `city city,location,town,place city`. A slot that a request
    lacks is not required. `topic` keeps two tools that do the same from standing side by side.
    """

    topic: str
    names: str
    descriptions: str
    parameters: tuple[str, ...]
    asks: tuple[str, ...]


KINDS: tuple[Kind, ...] = (
    Kind("weather", "get_weather weather get_current_weather weather_lookup getWeather fetch_weather weather_report current_weather",
         "(Get|Look up|Find|Return|Fetch) the (current |)weather (for|in) a (city|location|given city|given location|place)(|.)",
         ("city city,location,town,place,where city",),
         ("(what is|what's|how is|how's|tell me|check|show me|get|look up) the weather( like|) (in|for) {city}( today| now| right now|)", "weather in {city}", "is it (raining|sunny|cold|warm|hot|snowing|windy) in {city}( today| now|)", "how (warm|cold|hot) is it in {city}( now| today|)", "(do I need|should I take) (an umbrella|a coat) in {city}( today|)", "what (is|will) the weather (be |)(like |)in {city}", "I am in {city}. How is the weather", "I am going to {city}. What is the weather like", "weather report for {city}")),
    Kind("weather", "get_weather get_temperature weather forecast get_forecast",
         "(Get|Look up) the (weather|temperature|forecast) (for|in) a (city|location)(|.)",
         ("city city,location,town,place city", "unit unit,units,scale enum:celsius,fahrenheit"),
         ("(what is|what's|tell me|get) the (weather|temperature) in {city} in {unit}", "how (warm|cold|hot) is it in {city} in {unit}", "temperature in {city} in {unit}", "weather in {city}, in {unit}", "(use|show|give me) {unit}: the (weather|temperature) in {city}")),
    Kind("time", "get_time current_time get_current_time time_in clock what_time world_clock",
         "(Get|Tell|Return) the (current |local |)time in a (city|place|time zone)(|.)",
         ("city city,place,location,timezone city",),
         ("(what time is it|what is the time|tell me the time|what's the time) in {city}( now| right now|)", "time in {city}", "current time in {city}", "how late is it in {city}", "what does the clock say in {city}", "(check|get|look up) the time in {city}")),
    Kind("search", "search web_search search_web google find_documents lookup internet_search searchWeb query_web",
         "(Search|Look up things on|Find pages on) the (web|internet)(|.)",
         ("query query,q,text,search_query,term,keywords words",),
         ("(search|search the web|look|google|look on the web) for {query}", "(find|look up|search|google) {query}( on the web| online| on the internet|)", "(can|could) you (search|look|google) for {query}", "what does the (web|internet) say about {query}", "I need information (about|on) {query}", "search: {query}", "find (out |something |)about {query}( on the web| online|)")),
    Kind("search", "find_documents search_documents search_files search_notes find_notes document_search",
         "Search (the |my |)(documents|files|notes|archive)(|.)",
         ("query query,q,text,search_query words", "n limit,top_k,count,max_results,n integer"),
         ("(search|look) for {query} and (give|show) me {n} results", "find {n} (documents|notes|files|results) about {query}", "show (me |)the (top|first|best) {n} results for {query}", "(search|look up) {query}, {n} results( please|)", "I want {n} (documents|files|notes|results) about {query}")),
    Kind("add", "add add_numbers sum plus add_two_numbers", "(Add|Sum up) (two numbers|a and b)(|.)",
         ("a a,x,left,first,number1 integer", "b b,y,right,second,number2 integer"),
         ("(what is|calculate|compute|how much is) {a} (plus|+) {b}", "add {a} (and|to) {b}", "sum {a} and {b}", "{a} (plus|+) {b}", "the sum of {a} and {b}")),
    Kind("subtract", "subtract minus subtract_numbers difference", "Subtract (two numbers|b from a)(|.)",
         ("a a,x,left,first integer", "b b,y,right,second integer"),
         ("(what is|calculate|compute|how much is) {a} (minus|-) {b}", "subtract {b} from {a}", "{a} (minus|-) {b}", "take {b} away from {a}")),
    Kind("multiply", "multiply times multiply_numbers product math_multiply", "Multiply (two numbers|a and b)(|.)",
         ("a a,x,left,first integer", "b b,y,right,second integer"),
         ("(what is|calculate|compute|how much is) {a} (times|multiplied by|*|x) {b}", "multiply {a} (and|by|with) {b}", "{a} times {b}", "the product of {a} and {b}")),
    Kind("calculator", "calculator calculate evaluate compute calc math eval_expression", "(Evaluate|Calculate|Compute) (a math expression|an expression|a formula)(|.)",
         ("e expression,expr,formula,input expression",),
         ("(what is|calculate|compute|how much is|evaluate|work out|solve) {e}", "{e}", "{e} =", "(can|could) you (calculate|compute|work out) {e}", "I need the result of {e}")),
    Kind("mail", "send_email email sendEmail mail send_mail write_email compose_email", "(Send|Write) an (email|e-mail)(| to a person| to somebody| to a recipient)(|.)",
         ("to to,recipient,address,email email", "text body,text,message,content words"),
         ("(send|write) (an email|an e-mail|a mail) to {to} (saying|that says|with the text|with the message) {text}", "email {to}: {text}", "(send|write) {to} an email (saying|that says|with) {text}", "tell {to} by email: {text}", "mail {text} to {to}")),
    Kind("message", "send_message message sendMessage text_contact send_sms sms send_text", "Send a (message|text message|SMS)(| to a person| to a contact)(|.)",
         ("to to,recipient,contact,name,person name", "text text,message,body,content words"),
         ("(send a message|send a text|write a message|write) to {to}(:| saying| that says) {text}", "(text|message|tell|write) {to}: {text}", "tell {to} {text}", "(send|write) {to} (the message|a message saying|a text saying|the words) {text}", "let {to} know: {text}", "send {text} to {to}")),
    Kind("call", "call_contact phone call make_call dial phone_call", "(Call|Phone) (a contact|a person|somebody)(|.)",
         ("who contact,name,person,who name",),
         ("(call|phone|ring|dial) {who}( please| now|)", "give {who} a call", "I (want|need) to (talk to|call|speak to) {who}( on the phone|)", "(can|could) you (call|phone|ring) {who}( for me|)", "make a phone call to {who}")),
    Kind("timer", "start_timer set_timer timer countdown setTimer", "(Start|Set) a (timer|countdown)(|.)",
         ("n minutes,duration,minutes_count,length integer",),
         ("(set|start) a timer (for|of) {n} minutes", "timer(: | for |, ){n} minutes", "(set|start) a {n}-minute timer", "(count down|remind me in|wake me in|wait) {n} minutes", "(can|could) you (set|start) a timer for {n} minutes", "{n} minutes on the timer( please|)", "I need a timer for {n} minutes")),
    Kind("alarm", "set_alarm alarm create_alarm wake_up setAlarm", "Set an alarm(| clock)(|.)",
         ("t time,at,when,hour time",),
         ("set (an|the) alarm (for|at|to) {t}", "wake me (up |)at {t}", "alarm(: | at ){t}", "I (want|need|have) to (get|wake) up at {t}", "I need an alarm at {t}", "make sure I am awake at {t}")),
    Kind("reminder", "create_reminder set_reminder remind add_reminder remind_me", "(Create|Set|Add) a reminder(|.)",
         ("text text,what,message,title,task words", "day day,date,when,on enum:Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"),
         ("remind me (on {day} to {text}|to {text} on {day}|of {text} on {day})", "(set|create|add) a reminder for {day}: {text}", "don't let me forget on {day}: {text}", "reminder on {day}: {text}")),
    Kind("event", "create_event add_event schedule_meeting book_meeting calendar_add new_event", "(Create|Add|Schedule) (an event|a meeting|an appointment)(| in the calendar)(|.)",
         ("title title,name,subject,what words", "date date,day,on,when date", "t time,at,start,start_time time"),
         ("(schedule|create|add|book|plan) {title} (on {date} at {t}|at {t} on {date}|for {date}, {t})", "(put|enter) {title} in(to|) my calendar (on {date} at {t}|for {date} at {t})", "new (event|meeting|appointment): {title}, {date}, {t}", "I have {title} on {date} at {t}. Put it in my calendar")),
    Kind("light", "set_light switch_light setLight toggle_light light control_light lights", "(Turn|Switch) (a|the) light on or off(|.)",
         ("room room,location,where,place room", "on on,state,power,enabled boolean"),
         ("(turn|switch) {on} the (light|lights|lamp) in the {room}", "(turn|switch) the {room} (light|lights|lamp) {on}", "{room} (light|lights) {on}", "(turn|switch) {on} the {room} (light|lights|lamp)( please|)", "the (light|lamp) in the {room} should be {on}", "I want the {room} light {on}")),
    Kind("heat", "set_temperature set_thermostat thermostat set_heating heating setTemperature", "Set the (temperature|heating|thermostat)(| of a room| in a room)(|.)",
         ("room room,location,where room", "n temperature,degrees,value,target integer"),
         ("(set|turn|put) the (temperature|heating|thermostat) in the {room} to {n}( degrees|)", "(make it|I want) {n} degrees in the {room}", "(heat|warm|cool) the {room} to {n}( degrees|)", "{room}: {n} degrees", "set the {room} to {n} degrees")),
    Kind("music", "play_music play_song play music playMusic start_music", "Play (a song|music|some music)(|.)",
         ("song song,title,track,query,name words",),
         ("play {song}( please| now|)", "(play|put on|start) the song {song}", "I (want|would like) to (hear|listen to) {song}", "(can|could) you (play|put on) {song}", "music: {song}", "let me hear {song}", "put on {song}")),
    Kind("translate", "translate translate_text translation translator translateText", "Translate (text|a text|words)( into another language|)(|.)",
         ("text text,input,phrase,words words", "lang language,target,to,target_language enum:French,German,Spanish,Italian,Polish,Japanese"),
         ("translate {text} (to|into) {lang}", "(what is|how do you say|say) {text} in {lang}", "{text} in {lang}( please|)", "I need {text} in {lang}", "put {text} into {lang}")),
    Kind("table", "book_table reserve_table reserve_restaurant book_restaurant reservation make_reservation bookTable", "(Book|Reserve) a table( in a restaurant| at a restaurant|)(|.)",
         ("place restaurant,place,where,venue,name name", "n guests,people,party_size,seats,persons integer", "t time,at,when,hour time"),
         ("(book|reserve|get) a table (for {n}( people|) at {place} at {t}|at {place} for {n}( people| persons|) at {t}|at {place} at {t} for {n}( people|))", "I (need|want|would like) a table at {place} for {n}( people|) at {t}", "table for {n} at {place}, {t}", "{n} people at {place} at {t}. (Book|Reserve) a table", "(can|could) you (book|reserve) a table at {place} for {n} at {t}", "we are {n} and want to eat at {place} at {t}")),
    Kind("table", "book_table reserve_table find_table table_booking", "(Book|Reserve) a table( in a restaurant|)(|.)",
         ("place restaurant,place,where,name name", "n guests,people,party_size,seats integer"),
         ("(book|reserve|get) a table (for {n}( people|) at {place}|at {place} for {n}( people|))", "I (need|want) a table for {n} at {place}", "table for {n} at {place}", "(can|could) you (book|reserve) a table at {place} for {n}( people|)", "dinner for {n} at {place}")),
    Kind("flight", "book_flight search_flights find_flights flight flights get_flights", "(Book|Search|Find) (a flight|flights)(|.)",
         ("a from,origin,departure,from_city city", "b to,destination,arrival,to_city city", "date date,day,when,on date"),
         ("(book|find|search|get) (me |)a flight from {a} to {b} on {date}", "I (want|need) to fly from {a} to {b} on {date}", "(flights|flight) from {a} to {b}( on|,) {date}", "fly me from {a} to {b} on {date}", "on {date} I (fly|travel|go) from {a} to {b}. Find a flight", "which flights go from {a} to {b} on {date}")),
    Kind("train", "find_train train_times search_trains trains get_train", "(Find|Search) (trains|train connections|a train)(|.)",
         ("a from,origin,start,departure city", "b to,destination,end,arrival city"),
         ("(find|search|get|show) (me |)(a train|trains) from {a} to {b}", "trains from {a} to {b}", "how do I get from {a} to {b} by train", "(is there|I need) a train from {a} to {b}", "when does a train go from {a} to {b}", "I want to (go|travel) from {a} to {b} by train")),
    Kind("hotel", "book_hotel find_hotel search_hotels hotels reserve_hotel", "(Book|Find|Search) (a hotel|hotels)( in a city|)(|.)",
         ("city city,location,place,where city", "n nights,duration,days,stay integer"),
         ("(book|find|reserve|get) a hotel in {city} for {n} nights", "I need a (hotel|room) in {city} for {n} nights", "{n} nights in {city}", "hotel in {city}, {n} nights", "we stay in {city} for {n} nights. (Find|Book) a hotel")),
    Kind("stock", "get_stock_price stock_price stock quote get_quote share_price", "(Get|Look up) the (stock|share) price( of a company|)(|.)",
         ("c company,symbol,ticker,name name",),
         ("(what is|get|check|tell me|look up) the (stock|share) price of {c}", "(stock|share) price of {c}", "how is the {c} stock( doing|)", "how much is a share of {c}", "what does a {c} share cost")),
    Kind("news", "get_news news headlines latest_news fetch_news", "(Get|Fetch|Show) (the |)(latest |)(news|headlines)( about a topic|)(|.)",
         ("t topic,subject,about,query,category words",),
         ("(what is|get|show me|give me|tell me|any) the (latest |)news (about|on) {t}", "news (about|on) {t}", "what is new about {t}", "(latest|today's) headlines (about|on) {t}", "what happened with {t}")),
    Kind("currency", "convert_currency exchange currency currency_converter exchange_money", "(Convert|Exchange) (money|an amount) (from one currency to another|between currencies)(|.)",
         ("n amount,value,sum integer", "a from,from_currency,source,base currency", "b to,to_currency,target currency"),
         ("(convert|change|exchange|turn) {n} {a} (to|into) {b}", "how (much|many) (is|are) {n} {a} in {b}", "{n} {a} (to|in) {b}", "what are {n} {a} worth in {b}", "I have {n} {a} and want {b}")),
    Kind("order", "order_food order_pizza order place_order buy", "(Order|Buy) (food|something|a product|things)(|.)",
         ("item item,product,dish,what,food word", "n quantity,amount,count,number integer"),
         ("(order|buy|get) {n} {item}", "I (want|would like|need|will have|take) {n} {item}", "{n} times {item}( please|)", "(order|buy): {item}, {n} of them", "(can|could) I (get|have) {n} {item}")),
    Kind("note", "create_note add_note save_note take_note note new_note write_note", "(Create|Add|Save|Take) a note(|.)",
         ("text text,content,body,note words",),
         ("(make|take|create|add|save) a note(: | that says | saying ){text}", "note(:| down:| down) {text}", "write down(:|) {text}", "(save|keep) this as a note: {text}", "new note: {text}")),
    Kind("todo", "add_todo add_task create_task todo new_task add_to_list", "(Add|Create) a (task|to-do|todo)( on the list|)(|.)",
         ("text task,title,item,todo,name words",),
         ("(add|put) {text} (to|on) my (list|to-do list|tasks|todo list)", "(new|add a|create a) task: {text}", "I (have|need) to {text}. (Add it|Put it on the list)", "todo: {text}", "my list needs {text}")),
    Kind("file", "read_file open_file cat get_file load_file readFile view_file", "(Read|Open|Show|Load) (a file|the contents of a file)(|.)",
         ("p path,file,filename,file_name file",),
         ("(read|open|show|show me|display|print|load) (the file |the contents of |){p}", "what is in (the file |){p}", "(look|take a look) (into|at) {p}", "what does {p} say", "cat {p}", "I want to see {p}", "let me see {p}")),
    Kind("write", "write_file save_file create_file writeFile store_file", "(Write|Save) (text to |)a file(|.)",
         ("p path,file,filename,file_name file", "text content,text,data,contents words"),
         ("(write|save|put|store) {text} (to|in|into) (the file |){p}", "(create|make) (a file |){p} with (the text |the content |){text}", "{p} (should|must) contain {text}", "save a file {p} that says {text}")),
    Kind("shell", "run_command shell bash execute run terminal exec_command", "(Run|Execute) a (shell |)command(|.)",
         ("c command,cmd,input,script shell",),
         ("(run|execute) {c}( in the (terminal|shell)|)", "(run|execute) the command {c}", "please run {c}", "what does {c} (print|show|say)", "in the shell, run {c}")),
    Kind("delete", "delete_file remove_file rm deleteFile erase_file", "(Delete|Remove) a file(|.)",
         ("p path,file,filename,file_name file",),
         ("(delete|remove|erase) (the file |){p}", "get rid of {p}", "{p} can be (deleted|removed)", "I do not need {p} any more. Delete it", "throw {p} away", "(can|could) you (delete|remove) {p}")),
    Kind("user", "get_user find_user user_info lookup_user get_customer getUser", "(Get|Find|Look up) a (user|customer|person)(| by id)(|.)",
         ("id id,user_id,customer_id,number integer",),
         ("(get|find|show|look up|show me) (the |)(user|customer) (with (the |)(id|number) |number |){id}", "who is (the |)(user|customer) (number |){id}", "(data|details|information) of (the |)(user|customer) {id}", "user {id}")),
    Kind("track", "track_package track_order package_status trackPackage where_is_package", "Track (a package|a parcel|an order|a shipment)(|.)",
         ("c code,tracking_number,id,number code",),
         ("(track|find|check|follow) (the |my |)(package|parcel|order|shipment) {c}", "where is (the |my |)(package|parcel|order) {c}", "(status|state) of (package|order|parcel) {c}", "has (package|order|parcel) {c} arrived")),
    Kind("random", "random_number roll_dice get_random random dice", "(Get|Draw|Generate) a random number(|.)",
         ("a min,low,from,minimum integer", "b max,high,to,maximum integer"),
         ("(give me|pick|draw|generate|get) a random number (between|from) {a} (and|to) {b}", "random number (between|from) {a} (and|to) {b}", "(pick|choose) a number from {a} to {b}")),
    Kind("volume", "set_volume volume change_volume adjust_volume", "(Set|Change) the volume(|.)",
         ("n level,volume,value,percent integer",),
         ("(set|turn|put|change) the (volume|sound) to {n}( percent|)", "volume (at |to |){n}", "make the (volume|sound) {n}", "(can|could) you (set|change) the volume to {n}")),
    Kind("recipe", "find_recipe get_recipe search_recipes recipe recipes", "(Find|Get|Search) (a recipe|recipes)(|.)",
         ("d dish,food,query,name,meal words",),
         ("(find|get|show me|give me|search) (a |the |)recipe for {d}", "how do I (cook|make|bake) {d}", "recipe for {d}", "I want to (cook|make|bake) {d}", "what do I need to (cook|make) {d}")),
    Kind("map", "get_directions directions route navigate find_route", "(Get|Find|Show) (directions|the way|a route)(|.)",
         ("a from,start,origin city", "b to,end,destination city"),
         ("(how do I get|show me the way|directions|what is the way|find the way|route|navigate) from {a} to {b}", "(drive|guide|take) me from {a} to {b}", "I want to (drive|walk|go) from {a} to {b}")),
    Kind("image", "generate_image create_image draw draw_picture make_image", "(Generate|Create|Draw) (an image|a picture)(|.)",
         ("p prompt,description,text,subject words",),
         ("(draw|paint|create|make|generate) (a picture|an image|a drawing) of {p}", "(can|could) you draw {p}", "picture of {p}", "(I want|show me) a picture of {p}")),
    Kind("contact", "add_contact create_contact save_contact new_contact", "(Add|Save|Create) a contact(|.)",
         ("name name,contact,person,who name", "e email,address,mail email"),
         ("(add|save|create) (the contact |a contact |){name} with (the |)(email |address |){e}", "save {e} (as|for) {name}", "new contact: {name}, {e}", "{name} has the email {e}. Save (it|the contact)")),
)  # fmt: skip

# Tools that would do the same are never offered together: which to call must be certain.
_ALIKE: dict[str, frozenset[str]] = {
    "add": frozenset({"calculator"}),
    "subtract": frozenset({"calculator"}),
    "multiply": frozenset({"calculator"}),
    "calculator": frozenset({"add", "subtract", "multiply"}),
    "search": frozenset({"news", "recipe", "stock", "user", "track"}),
    "news": frozenset({"search"}),
    "recipe": frozenset({"search"}),
    "stock": frozenset({"search"}),
    "user": frozenset({"search"}),
    "track": frozenset({"search"}),
    "note": frozenset({"todo", "write", "reminder"}),
    "todo": frozenset({"note", "write", "reminder"}),
    "write": frozenset({"note", "todo", "reminder"}),
    "reminder": frozenset({"note", "todo", "write", "event"}),
    "event": frozenset({"reminder"}),
    "map": frozenset({"train", "flight"}),
    "train": frozenset({"map", "flight"}),
    "flight": frozenset({"map", "train"}),
    "file": frozenset({"shell"}),
    "shell": frozenset({"file"}),
    "weather": frozenset({"heat"}),
    "heat": frozenset({"weather"}),
    "message": frozenset({"mail", "call"}),
    "mail": frozenset({"message", "contact"}),
    "contact": frozenset({"mail"}),
    "call": frozenset({"message"}),
}
# What the model can answer or has to decline without a tool: not offered where none is to fit.
ANSWERABLE = frozenset(
    (
        "add subtract multiply calculator translate weather time search news stock map train flight recipe "
        "order call currency user contact write note image random track hotel message mail"
    ).split()
)

_ROOMS = ("kitchen bedroom bathroom office hall garage garden living-room cellar attic").split()
_CURRENCIES = "euros dollars pounds yen francs rupees crowns".split()
_COMMANDS = [
    "ls",
    "pwd",
    "date",
    "whoami",
    "df",
    "uptime",
    "ls -l",
    "git status",
    "git log",
    "make test",
    "npm install",
    "cat notes.txt",
    "python main.py",
]


def _value(source: Source, kind: str) -> Any:
    if kind == "city":
        return source.pick(CITIES) if source.chance(0.5) else source.word().capitalize()
    if kind == "room":
        return source.pick(_ROOMS) if source.chance(0.7) else source.word()
    if kind == "currency":
        return source.pick(_CURRENCIES)
    if kind == "shell":
        return (
            source.pick(_COMMANDS) if source.chance(0.5) else f"{source.word()} {source.any_word()}"
        )
    if kind == "expression":
        sign = source.pick("+-*/")
        return f"{source.number(1, 999)} {sign} {source.number(1, 999)}"
    if kind == "integer":
        return source.number(1, source.pick((9, 12, 60, 99, 999)))
    return value(source, kind)


_STRING = ("city", "room", "currency", "shell", "expression")


def everyday(source: Source, topics: set[str] | None = None) -> Wish:
    """A tool of a topic that is not taken, which then is, and a request for it."""
    topics = set() if topics is None else topics
    kind = source.pick(KINDS)
    while kind.topic in topics:
        kind = source.pick(KINDS)
    topics.add(kind.topic)
    topics |= _ALIKE.get(kind.topic, frozenset())
    name = source.pick(kind.names.split())
    if source.chance(0.12):  # a name without sense: the description has to do
        name = source.pick((source.word(), f"{source.word()}_{source.word()}"))
    slots: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    parameters: list[Parameter] = []
    for line in kind.parameters:
        slot, names, form = line.split(" ", 2)
        called = source.pick(names.split(",")) if source.chance(0.9) else source.word()
        given = _value(source, form)
        about = (
            f"The {slot if len(slot) > 2 else called.replace('_', ' ')}"
            if source.chance(0.4)
            else ""
        )
        about = about + source.pick(("", ".")) if about else ""
        parameters.append(Parameter(called, "word" if form in _STRING else form, about))
        arguments[called] = given
        slots[slot] = ("on" if given else "off") if isinstance(given, bool) else given
        if form == "words" and source.chance(0.2):
            slots[slot] = source.pick(('"{}"', "'{}'")).format(given)
        if form.startswith("enum:celsius") and source.chance(0.5):
            slots[slot] = str(given).capitalize()
    description = source.say(kind.descriptions)
    said = source.say(source.wording(kind.asks), **slots)
    ask = said if _starts_with(said, slots) else said[0].upper() + said[1:]
    asks = ask.lower().startswith(
        (
            "what",
            "how",
            "is ",
            "which",
            "can",
            "could",
            "who",
            "where",
            "when",
            "do ",
            "should",
            "has ",
        )
    )
    ask += (
        source.pick(("?", "?", "?", "")) if asks else source.pick((".", ".", "", "!", " please."))
    )
    if source.chance(0.12):
        ask = source.pick(("Hi! ", "Hello, ", "Hey, ", "Please help me. ", "Ok. ", "Next: ")) + ask
    return Wish(tool(name, description, parameters, source), ask, Call(name, arguments))


def _starts_with(text: str, slots: dict[str, Any]) -> bool:
    return any(text.startswith(str(given)) for given in slots.values())
