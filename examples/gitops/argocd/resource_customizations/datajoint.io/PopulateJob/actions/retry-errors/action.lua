local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
-- A match that somebody left behind would limit it to some of the errors.
obj.metadata.annotations["datajoint.io/match"] = nil
obj.metadata.annotations["datajoint.io/retry-errors"] = os.date("!%Y-%m-%dT%XZ")
return obj
