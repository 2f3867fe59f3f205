# After `azd deploy`: subscribes the functions, or their queue, to the events of registries and containers.
$ErrorActionPreference = 'Stop'
# A command that fails is looked at below, by its exit code.
$PSNativeCommandUseErrorActionPreference = $false
Set-Location (Join-Path $PSScriptRoot '../..')

$needed = @(
  'AZURE_SUBSCRIPTION_ID', 'AZURE_RESOURCE_GROUP', 'AZURE_ENV_NAME', 'FUNCTION_APP_NAME', 'STORAGE_ACCOUNT_NAME',
  'DEAD_LETTER_CONTAINER_NAME', 'MONITORED_REGISTRIES'
)
foreach ($name in $needed) {
  if (-not [Environment]::GetEnvironmentVariable($name)) {
    throw "$name is not set: run this through azd, or set what azd env get-values prints."
  }
}

$public = if ($env:FUNCTION_APP_PUBLIC) { $env:FUNCTION_APP_PUBLIC } else { 'true' }
$delivery = if ($env:EVENT_DELIVERY) { $env:EVENT_DELIVERY } else { 'function' }
if ($delivery -eq 'queue' -and -not $env:EVENT_QUEUE_NAME) {
  throw 'EVENT_DELIVERY is queue, but the first stage has made none (EVENT_QUEUE_NAME): run azd provision, then this again.'
}
if ($delivery -eq 'queue' -and $env:EVENT_SUBSCRIPTIONS -eq 'Extension') {
  throw 'A queue takes a topic with an identity, which EVENT_SUBSCRIPTIONS=Extension has not (docs/deploy.md, "Events through a queue").'
}
if ($delivery -ne 'queue' -and $public -ne 'true') {
  Write-Host "The function app has no public access, and Event Grid can't push into a private network."
  Write-Host 'The sweep finds every run and every blob by itself. EVENT_DELIVERY=queue brings events too (docs/deploy.md, "Without public access").'
  exit 0
}

az account show --output none
if ($LASTEXITCODE -ne 0) { throw 'The events are deployed by the Azure CLI: run az login first.' }

# A function is known to Azure only some moments after its code has been deployed. A queue is there without any.
$functions = if ($delivery -eq 'queue') { @() } else { 'pipeline_run_completed', 'transfer_blob_created' }
foreach ($function in $functions) {
  $tries = 0
  while ($true) {
    az functionapp function show `
      --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
      --name $env:FUNCTION_APP_NAME --function-name $function --output none 2>$null
    if ($LASTEXITCODE -eq 0) { break }
    $tries += 1
    if ($tries -ge 20) {
      throw "The function $function did not appear in $($env:FUNCTION_APP_NAME). Look at the app's log: a wrong setting stops its start."
    }
    Write-Host "Waiting for the function $function"
    Start-Sleep -Seconds 15
  }
}

$parameters = if ($env:EVENTS_PARAMETERS) { $env:EVENTS_PARAMETERS } else { 'infra/events.bicepparam' }
az deployment group create `
  --subscription $env:AZURE_SUBSCRIPTION_ID `
  --resource-group $env:AZURE_RESOURCE_GROUP `
  --name "acr-transfer-monitor-events-$($env:AZURE_ENV_NAME)" `
  --parameters $parameters `
  --output none
if ($LASTEXITCODE -ne 0) { throw 'The event subscriptions could not be deployed.' }
