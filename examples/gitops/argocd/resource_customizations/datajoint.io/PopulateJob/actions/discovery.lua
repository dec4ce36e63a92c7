local suspended = obj.spec.suspend == true
local failed = obj.status ~= nil and obj.status.error ~= nil and obj.status.error > 0

local actions = {}
actions["suspend"] = {["disabled"] = suspended, ["iconClass"] = "fa fa-fw fa-pause"}
actions["resume"] = {["disabled"] = not suspended, ["iconClass"] = "fa fa-fw fa-play"}
actions["retry-errors"] = {["disabled"] = not failed, ["iconClass"] = "fa fa-fw fa-redo"}
actions["refresh"] = {["disabled"] = false, ["iconClass"] = "fa fa-fw fa-search"}
return actions
