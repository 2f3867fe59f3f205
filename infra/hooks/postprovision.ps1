# After `azd provision`: gives the monitor's identity its roles on what it watches, one deployment per subscription.
# `azd env set DEPLOY_ROLES false` leaves that to the team that owns the resources (docs/deploy.md).
$ErrorActionPreference = 'Stop'
# A command that fails is looked at below, by its exit code.
$PSNativeCommandUseErrorActionPreference = $false
Set-Location (Join-Path $PSScriptRoot '../..')

foreach ($name in 'AZURE_LOCATION', 'AZURE_ENV_NAME', 'MONITORED_REGISTRIES', 'MONITOR_IDENTITY_PRINCIPAL_ID') {
  if (-not [Environment]::GetEnvironmentVariable($name)) {
    throw "$name is not set: run this through azd, or set what azd env get-values prints."
  }
}

$lists = @(
  $env:MONITORED_REGISTRIES, $env:REPOSITORY_PERMISSION_REGISTRIES, $env:TRANSFER_CONTAINERS,
  $env:STORAGE_ACCOUNTS, $env:KEY_VAULTS, $env:TRANSFER_SECRETS
) -join ','
# /subscriptions/<id>/…: the id is the third part. Case does not count in resource ids.
$subscriptions = @($lists.ToLowerInvariant() -split ',' | ForEach-Object { ($_.Trim() -split '/')[2] } | Where-Object { $_ } | Sort-Object -Unique)

$deployRoles = if ($env:DEPLOY_ROLES) { $env:DEPLOY_ROLES } else { 'true' }
if ($deployRoles -ne 'true') {
  Write-Host 'DEPLOY_ROLES is not true. Have infra/roles.bicep deployed in each of these subscriptions (docs/deploy.md):'
  $subscriptions | ForEach-Object { Write-Host $_ }
  exit 0
}

az account show --output none
if ($LASTEXITCODE -ne 0) { throw 'The roles are deployed by the Azure CLI: run az login first.' }

foreach ($subscription in $subscriptions) {
  Write-Host "Roles in subscription $subscription"
  az deployment sub create `
    --subscription $subscription `
    --location $env:AZURE_LOCATION `
    --name "acr-transfer-monitor-roles-$($env:AZURE_ENV_NAME)" `
    --parameters infra/roles.bicepparam `
    --output none
  if ($LASTEXITCODE -ne 0) {
    Write-Host 'RoleAssignmentExists means that one of them was given by hand. List these, delete them, then run this again:'
    Write-Host "  az role assignment list --subscription $subscription --assignee $($env:MONITOR_IDENTITY_PRINCIPAL_ID) --query '[?!description].{role: roleDefinitionName, scope: scope, id: id}' --output table --all"
    Write-Host "  az role assignment delete --subscription $subscription --ids <id>"
    throw "The roles in subscription $subscription could not be deployed."
  }
}
