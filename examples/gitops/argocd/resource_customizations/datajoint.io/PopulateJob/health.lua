local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.status == "True" then
      conditions[condition.type] = condition
    end
  end
end

local function is_unanswered(wish, answer)
  local value = obj.metadata.annotations ~= nil and obj.metadata.annotations[wish] or nil
  return value ~= nil and value ~= "" and value ~= obj.status[answer]
end

local hs = {}

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  hs.status = "Progressing"
  hs.message = "Waiting for the operator to look at the spec"
elseif conditions["Failed"] ~= nil and (is_unanswered("datajoint.io/retry-errors", "lastHandledRetryErrors")
    or is_unanswered("datajoint.io/ignore-errors", "lastHandledIgnoreErrors")) then
  -- The sync that asks for it must not fail by how the keys fared before.
  hs.status = "Progressing"
  hs.message = "Waiting for the operator to see to the keys with errors"
elseif conditions["Stalled"] ~= nil then
  hs.status = "Degraded"
  hs.message = conditions["Stalled"].message
elseif conditions["Reconciling"] ~= nil and conditions["Reconciling"].reason == "Suspended" then
  -- Of mode Once: what waits for its keys would wait in vain. A Continuous one is Ready while it is suspended, as is
  -- asked for, and holds up no sync.
  hs.status = "Suspended"
  hs.message = conditions["Reconciling"].message
elseif conditions["Ready"] ~= nil then
  hs.status = "Healthy"
  hs.message = conditions["Ready"].message
  if conditions["JobsFailing"] ~= nil then
    hs.message = hs.message .. "; " .. conditions["JobsFailing"].message
  end
else
  hs.status = "Progressing"
  if conditions["Reconciling"] ~= nil then
    hs.message = conditions["Reconciling"].message
  end
end

return hs
